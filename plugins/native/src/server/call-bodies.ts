/** The bytes of calls and replies, between the wire and the store. */

import { StoreError } from '@o3/common/errors'
import type { RpcCall } from '@o3/common/rpc'
import type { ByteSource, Digests } from '@o3/protocol-bus/api'
import { wholeBodyBytes } from '../core/calls.ts'
import { decode } from '../core/codec.ts'
import type { Codec } from '../core/codec.ts'
import { RunDecoder } from '../core/runs.ts'

type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }

/** What a put takes from its call: the bytes, and what the caller says of them once all have been read. */
export interface ReceivedBody<T> {
  readonly source: ByteSource
  /** `IncompleteBody` before the end of the bytes. */
  trailer(): T
}

/** `given` is the trailer of a body that was all there when the caller sent it. */
export async function receiveBody<T>(
  call: RpcCall<unknown>,
  codec: Codec<T>,
  given: T | undefined,
): Promise<ReceivedBody<T>> {
  if (given !== undefined) return { source: await gather(call.body), trailer: () => given }
  const runs = new RunStream(call.body ?? nobody())
  return { source: runs, trailer: () => decode(codec, runs.trailer()) }
}

/** `TooLarge` for one that should have come as runs. */
async function gather(body: AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body ?? []) {
    length += piece.length
    if (length > wholeBodyBytes) throw new StoreError('TooLarge', `a whole body has at most ${wholeBodyBytes} bytes`)
    pieces.push(piece)
  }
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length)
}

async function* nobody(): AsyncGenerator<Uint8Array> {}

/** The bytes of a body that comes in runs. Pieces are views of what was received. */
class RunStream implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly received: AsyncIterator<Uint8Array>
  private readonly decoder = new RunDecoder()
  private end: Uint8Array | undefined

  constructor(body: AsyncIterable<Uint8Array>) {
    this.received = body[Symbol.asyncIterator]()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    for (;;) {
      if (this.end !== undefined) return over
      const value = this.decoder.next()
      if (value !== undefined) return { done: false, value }
      const step = await this.received.next()
      if (step.done === true) this.end = this.decoder.finish()
      else this.decoder.push(step.value)
    }
  }

  async return(): Promise<Step> {
    await this.received.return?.()
    return over
  }

  trailer(): Uint8Array {
    if (this.end === undefined) throw new StoreError('IncompleteBody', 'the body was not read to its end')
    return this.end
  }
}

/** `DigestMismatch` when the bytes that arrived are not those that the caller sent. */
export function agreeOn(computed: Digests, claimed: Digests): void {
  for (const [algorithm, digest] of Object.entries(computed)) {
    const claim = claimed[algorithm as keyof Digests]
    if (claim === undefined || Buffer.compare(claim, digest) !== 0) {
      throw new StoreError('DigestMismatch', `the ${algorithm} of the bytes that arrived is not the caller's`)
    }
  }
}

/** For the wire, which keeps what it is given until the socket has taken it, while a store may use its buffers again. */
export function sendable(source: ByteSource): ByteSource {
  return source instanceof Uint8Array ? source : new CopiedStream(source)
}

class CopiedStream implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly source: AsyncIterator<Uint8Array>

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    const step = await this.source.next()
    return step.done === true ? over : { done: false, value: step.value.slice() }
  }

  async return(): Promise<Step> {
    await this.source.return?.()
    return over
  }
}
