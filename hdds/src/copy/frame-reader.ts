import { StoreError } from '@o3/common/errors'
import type { Clock } from '@o3/common/env'
import { withinDeadline } from '@o3/common/lifecycle'
import { untilAborted } from '../service/until-aborted.ts'
import { ByteFeed } from '../rpc/runs.ts'
import { decodeFrameHead, frameHeadBytes } from './block-frames.ts'
import type { BlockFrame } from './block-frames.ts'

export interface FrameReaderOptions {
  readonly clock: Clock
  /** The longest wait for the next bytes: `DeadlineExceeded`. */
  readonly silenceMs: number
  readonly signal: AbortSignal
}

/** Reads a stream of framed blocks, head by head and piece by piece. */
export class FrameReader {
  private readonly body: AsyncIterator<Uint8Array>
  private readonly feed: ByteFeed
  private readonly options: FrameReaderOptions

  constructor(body: AsyncIterable<Uint8Array>, options: FrameReaderOptions) {
    this.body = body[Symbol.asyncIterator]()
    this.feed = new ByteFeed({ [Symbol.asyncIterator]: () => this.body })
    this.options = options
  }

  /** `IncompleteBody` when the stream ends; otherwise as it fails, or the signal's reason. */
  async head(): Promise<BlockFrame> {
    return decodeFrameHead(await this.timely(this.feed.takeWord(frameHeadBytes)))
  }

  /** Exactly so many bytes of the block. */
  take(bytes: number): Promise<readonly Uint8Array[]> {
    return this.timely(this.feed.take(bytes))
  }

  /** Nothing more is read. Does not wait: a source that hangs would not answer. */
  close(): void {
    void this.body.return?.().catch(ignore)
  }

  private timely<T>(step: Promise<T>): Promise<T> {
    const { clock, silenceMs, signal } = this.options
    return untilAborted(withinDeadline(clock, silenceMs, 'the next part of a replica', step), signal)
  }
}

/** Whatever it says, the stream is over, and its reader knows why. */
function ignore(error: unknown): void {
  if (!(error instanceof StoreError)) throw error
}
