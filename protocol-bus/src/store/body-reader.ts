/** From a key's content to its bytes: inline ones at once, small ones in one read, large ones as a verified stream. */

import type { Clock } from '@o3/common/env'
import type { BlockStore } from '@o3/hdds/api'
import type { Key, Segment } from '@o3/om/api'
import type { KeyBody } from '../api/api.ts'
import { assertGrant } from '../core/authorize.ts'
import type { Grant } from '../core/authorize.ts'
import type { ByteRange } from '../core/range.ts'
import { segmentsOf } from '../core/segments.ts'
import { ReadAccess } from './read-access.ts'

/**
 * Up to here bytes come all at once, in memory of their own. Beyond, to make and to collect that memory costs more than
 * to stream through buffers that are used again.
 */
const smallReadBytes = 128 * 1024

export interface BodyReaderOptions {
  readonly blocks: BlockStore
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** The key of this name as it is now: a read that outlives its tokens needs it again. */
  readonly lookUp: (grant: Grant<'key:read'>, name: string) => Key | Promise<Key>
}

export class BodyReader {
  private readonly options: BodyReaderOptions

  constructor(options: BodyReaderOptions) {
    this.options = options
  }

  /**
   * The bytes of `range`. A stream has its first piece read before this resolves, so that a block that is gone, and a
   * disk that fails, is known while the answer can still be another one. Errors as `BlockStore.read`; those met later
   * come from the stream.
   */
  open(grant: Grant<'key:read'>, key: Key, range: ByteRange): KeyBody | Promise<KeyBody> {
    assertGrant(grant, 'key:read')
    const { content } = key
    const length = range.end - range.start
    if (content.kind === 'inline') {
      const whole = length === content.bytes.length
      return { length, bytes: whole ? content.bytes : content.bytes.subarray(range.start, range.end) }
    }
    const segments = segmentsOf(content, range)
    const [only] = segments
    if (only === undefined) return { length: 0, bytes: new Uint8Array(0) }
    const { clock, lookUp } = this.options
    const access = new ReadAccess(key, { clock, lookUp: () => lookUp(grant, key.name) })
    if (segments.length > 1 || length > smallReadBytes) return this.openStream(segments, length, access)
    return only.kind === 'inline' ? { length, bytes: only.bytes } : this.readOne(only, access)
  }

  private async readOne(
    { block, offset, length }: Extract<Segment, { kind: 'block' }>,
    access: ReadAccess,
  ): Promise<KeyBody> {
    return { length, bytes: await this.options.blocks.readSmall(block, { offset, length }, access.of(block)) }
  }

  private async openStream(segments: readonly Segment[], length: number, access: ReadAccess): Promise<KeyBody> {
    const stream = new SegmentStream(this.options.blocks, segments, access)
    await stream.start()
    return { length, bytes: stream }
  }
}

/** The segments one after another. A piece is valid until the next one is asked for. Read once. */
class SegmentStream implements AsyncIterableIterator<Uint8Array> {
  private readonly blocks: BlockStore
  private readonly segments: readonly Segment[]
  private readonly access: ReadAccess
  private at = 0
  private reading: AsyncIterator<Uint8Array> | undefined
  private first: IteratorResult<Uint8Array> | undefined

  constructor(blocks: BlockStore, segments: readonly Segment[], access: ReadAccess) {
    this.blocks = blocks
    this.segments = segments
    this.access = access
  }

  async start(): Promise<void> {
    this.first = await this.next()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.first !== undefined) {
      const first = this.first
      this.first = undefined
      return first
    }
    if (this.access.isOld) await this.access.renew()
    for (;;) {
      const result = await this.reading?.next()
      if (result !== undefined && result.done !== true) return result
      this.reading = undefined
      const segment = this.segments[this.at++]
      if (segment === undefined) return { done: true, value: undefined }
      if (segment.kind === 'inline') return { done: false, value: segment.bytes }
      const { block, offset, length } = segment
      this.reading = this.blocks.read(block, { offset, length }, this.access.of(block))[Symbol.asyncIterator]()
    }
  }

  /** The reader needs no more: lets go of the block. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.first = undefined
    this.at = this.segments.length
    const { reading } = this
    this.reading = undefined
    await reading?.return?.()
    return { done: true, value: undefined }
  }
}
