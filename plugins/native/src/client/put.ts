/** How a body goes out: small ones in one frame with everything known, others as a stream with the verdict at its end. */

import type { Clock } from '@o3/common/env'
import type { RpcBody } from '@o3/common/rpc'
import type { ByteSource, Digests, PutOptions } from '@o3/protocol-bus/api'
import { wholeBodyBytes } from '../core/calls.ts'
import { encode } from '../core/codec.ts'
import type { Codec } from '../core/codec.ts'
import { OutgoingBody, checkSize, digestsOf } from './outgoing-body.ts'
import { abortedBy } from './wire.ts'

export interface Put<Trailer, Reply> extends Pick<PutOptions, 'size' | 'digests'> {
  readonly clock: Clock
  readonly trailer: Codec<Trailer>
  /** Runs the caller's `finish`. */
  readonly seal: (digests: Digests, size: number) => Trailer
  readonly signal: AbortSignal | undefined
  /** The call. The trailer goes ahead of a body that is all there, and is in the body of a stream. */
  readonly send: (body: RpcBody, trailer: { readonly trailer?: Trailer }) => Promise<{ readonly reply: Reply }>
}

/** A source that does not answer cannot be let go; nobody waits longer for it. */
const releaseWithinMs = 1000

/**
 * Resolves when the bytes are stored. When anything fails (the source, `finish`, the server) nothing is stored, and the
 * source has been let go before this rejects.
 */
export async function sendBody<Trailer, Reply>(source: ByteSource, put: Put<Trailer, Reply>): Promise<Reply> {
  const { signal, size, digests, seal, trailer, send, clock } = put
  if (signal?.aborted === true) throw abortedBy(signal)
  if (source instanceof Uint8Array && source.length <= wholeBodyBytes) {
    checkSize(source.length, size)
    const sealed = seal(digestsOf(source, digests), source.length)
    // A copy: the wire keeps what it is given until it has left, and the caller may go on with these bytes.
    return (await send(source.slice(), { trailer: sealed })).reply
  }
  const body = new OutgoingBody(source, {
    ...(size === undefined ? {} : { size }),
    digests,
    seal: (computed, length) => encode(trailer, seal(computed, length)),
  })
  try {
    return (await send(body, {})).reply
  } catch (error) {
    await releasedInTime(clock, body)
    throw error
  }
}

function releasedInTime(clock: Clock, body: OutgoingBody): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(releaseWithinMs, resolve)
    void body.released.then(() => {
      cancel()
      resolve()
    })
  })
}
