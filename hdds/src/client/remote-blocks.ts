import { StoreError } from '@o3/common/errors'
import type { BlockRange } from '@o3/scm/api'
import { PatientBody } from '../rpc/patient-body.ts'
import type { DatanodeChannel } from './datanode-channel.ts'

export interface RemoteBlocksOptions {
  readonly channel: DatanodeChannel
  readonly blocks: readonly BlockRange[]
  readonly silenceMs: number
}

const method = 'hdds.readBlocks.1'

/** Framed blocks as they arrive. Asked for at the first `next`, once: whoever copies asks again for what is missing. */
export async function* remoteBlocks(options: RemoteBlocksOptions): AsyncGenerator<Uint8Array, undefined> {
  const { channel, silenceMs } = options
  channel.enter()
  try {
    const body = new PatientBody(await ask(options), { clock: channel.clock, silenceMs })
    // Whoever stops early ends the call with it.
    yield* body
  } catch (error) {
    throw channel.withoutEffect(error)
  } finally {
    channel.leave()
  }
}

async function ask({ channel, blocks, silenceMs }: RemoteBlocksOptions): Promise<AsyncIterable<Uint8Array>> {
  const asking = new AbortController()
  const cancel = channel.clock.after(silenceMs, () => {
    asking.abort(new StoreError('DeadlineExceeded', `the datanode did not answer within ${silenceMs} ms`))
  })
  try {
    const payload = channel.encode(method, blocks)
    const result = await channel.call('bulk', method, payload, { signal: asking.signal })
    channel.decode(method, result.payload)
    return result.body ?? nothing()
  } finally {
    cancel()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, undefined> {}
