import type { Clock } from '@o3/common/env'
import type { SimRandom } from '@o3/common/env/sim'
import type { RaftTransport } from '@o3/ratis/node'

export interface MischiefRates {
  readonly loss: number
  readonly duplicate: number
  readonly late: number
}

/** How late a message is at most. */
const lateMs = 400

/** A transport on whose way messages are lost, doubled and overtaken, as Raft has to bear. */
export function mischievous(
  transport: RaftTransport,
  parts: { readonly clock: Clock; readonly random: SimRandom; readonly rates: () => MischiefRates },
): RaftTransport {
  const { clock, random, rates } = parts
  return {
    send: (group, message) => {
      const { loss, duplicate, late } = rates()
      const later = (): void => {
        clock.after(random.fraction() * lateMs, () => void transport.send(group, message))
      }
      if (random.chance(duplicate)) later()
      if (random.chance(loss)) return true
      if (!random.chance(late)) return transport.send(group, message)
      later()
      return true
    },
    setAddress: (id, address) => transport.setAddress(id, address),
    receive: (group, onMessage) => transport.receive(group, onMessage),
    close: () => transport.close(),
  }
}
