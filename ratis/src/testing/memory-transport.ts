import type { Clock } from '@o3/common/env'
import type { NodeId } from '../core/entry.ts'
import type { Message } from '../core/message.ts'
import { decodeBatch, encodeBatch } from '../node/message-codec.ts'
import type { RaftTransport } from '../node/transport.ts'

/** What becomes of a message: so many milliseconds of travel, or nothing; several arrivals repeat it. */
export type Travel = readonly number[]

export interface MemoryNetworkOptions {
  readonly clock: Clock
  /** Default: every message arrives once, after a millisecond. Messages with different travels overtake each other. */
  readonly travel?: (group: string, message: Message) => Travel
}

/** Carries messages between the transports of one test, in virtual time. What arrives went through the codec. */
export class MemoryNetwork {
  /** May be replaced at any time. */
  travel: (group: string, message: Message) => Travel
  private readonly clock: Clock
  private readonly receivers = new Map<string, Map<NodeId, (message: Message) => void>>()

  constructor({ clock, travel = () => [1] }: MemoryNetworkOptions) {
    this.clock = clock
    this.travel = travel
  }

  /** The transport of one member's process; the next process of the same member has another one. */
  transport(id: NodeId): RaftTransport {
    const groups = new Set<string>()
    let isClosed = false
    return {
      send: (group, message) => {
        if (isClosed) return false
        for (const delayMs of this.travel(group, message)) this.carry(group, message, delayMs)
        return true
      },
      setAddress: () => {},
      receive: (group, onMessage) => {
        const members = this.receivers.get(group) ?? new Map<NodeId, (message: Message) => void>()
        this.receivers.set(group, members.set(id, onMessage))
        groups.add(group)
        return () => {
          if (members.get(id) === onMessage) members.delete(id)
        }
      },
      close: () => {
        isClosed = true
        for (const group of groups) this.receivers.get(group)?.delete(id)
        return Promise.resolve()
      },
    }
  }

  private carry(group: string, message: Message, delayMs: number): void {
    // Now: nobody may change what was sent.
    const bytes = encodeBatch({ sender: '', messages: [{ group, message }] })
    this.clock.after(delayMs, () => {
      for (const { message: arrived } of decodeBatch(bytes).messages)
        this.receivers.get(group)?.get(arrived.to)?.(arrived)
    })
  }
}
