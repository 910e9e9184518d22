import { StoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { BlockId } from '@o3/scm/api'
import type { BlockReceipt, BlockWriter, KnownChecksums, ReplicaAccess } from '../api/api.ts'
import { chunksOf } from '../core/chunks.ts'
import { MarkReader, runHead, runsEnd } from '../rpc/runs.ts'
import type { Mark } from '../rpc/runs.ts'
import { unreadable } from './datanode-channel.ts'
import type { DatanodeChannel } from './datanode-channel.ts'
import { RunQueue } from './run-queue.ts'

const method = 'hdds.openWriter.1'

export interface OpenWriterOptions {
  readonly channel: DatanodeChannel
  readonly block: BlockId
  readonly access?: ReplicaAccess
  /** The longest that the datanode may take for one step. */
  readonly deadlineMs: number
}

/** Resolves when the datanode has taken the block: what it refuses is known before any byte is sent. */
export async function openRemoteWriter(options: OpenWriterOptions): Promise<BlockWriter> {
  const { channel, block, access, deadlineMs } = options
  channel.enter()
  const runs = new RunQueue()
  const cancellation = new AbortController()
  const payload = channel.encode(method, { block, ...access })
  const opening = channel.call('bulk', method, payload, { body: runs, signal: cancellation.signal })
  try {
    const { payload: reply, body } = await withinDeadline(channel.clock, deadlineMs, method, opening)
    channel.decode(method, reply)
    if (body === undefined) throw unreadable(method, new StoreError('IncompleteBody', 'there are no marks'))
    return new RemoteBlockWriter(options, { runs, cancellation, marks: new MarkReader(body) })
  } catch (error) {
    cancellation.abort(new StoreError('Aborted', 'the block was given up'))
    runs.end()
    channel.leave()
    throw channel.withoutEffect(error)
  }
}

interface Stream {
  readonly runs: RunQueue
  readonly marks: MarkReader
  readonly cancellation: AbortController
}

/**
 * One call for one block. `write` resolves when the datanode has answered that the bytes are in its disk's cache: then
 * nothing here refers to them any more, and what was not sent never piles up.
 */
class RemoteBlockWriter implements BlockWriter {
  readonly block: BlockId
  private readonly options: OpenWriterOptions
  private readonly stream: Stream
  private sentBytes = 0
  private landedBytes = 0
  private state: 'open' | 'aborting' | 'over' = 'open'
  private busy: Promise<unknown> | undefined

  constructor(options: OpenWriterOptions, stream: Stream) {
    this.block = options.block
    this.options = options
    this.stream = stream
  }

  async write(pieces: readonly Uint8Array[], known?: KnownChecksums): Promise<void> {
    await this.exclusively('withoutEffect', async () => {
      this.send(pieces, known?.whole)
      while (this.landedBytes < this.sentBytes) this.landedBytes = (await this.expect('landed')).totalBytes
    })
  }

  async commit(): Promise<BlockReceipt> {
    return await this.exclusively('withEffect', async () => {
      this.stream.runs.push(runsEnd('commit'))
      this.stream.runs.end()
      const { totalBytes, receipt } = await this.expect('committed')
      if (totalBytes !== this.sentBytes) throw wrongMark()
      this.end('done')
      return receipt ?? { block: this.block, lengthBytes: totalBytes, datanodes: [this.options.channel.id] }
    })
  }

  async abort(): Promise<void> {
    if (this.state !== 'open') return
    this.state = 'aborting'
    const { runs } = this.stream
    try {
      if (this.busy === undefined) {
        runs.push(runsEnd('abort'))
        runs.end()
        await this.expect('aborted')
        this.end('done')
      } else {
        // What is under way may never end: the call does, here and there, and its caller is told.
        this.cancel()
        await this.busy
      }
    } catch (error) {
      // Whoever cannot be told to forget the block forgets it when the call breaks off, which it does below or has done.
      if (!(error instanceof StoreError)) throw error
    } finally {
      this.end('broken')
    }
  }

  /** One run for each chunk: a head and the given pieces, which are not copied. */
  private send(pieces: readonly Uint8Array[], checksum: number | undefined): void {
    const { runs } = this.stream
    for (const chunk of chunksOf(pieces)) {
      runs.push(runHead(chunk, checksum))
      for (const piece of chunk) {
        this.sentBytes += piece.length
        runs.push(piece)
      }
    }
  }

  private async expect(kind: Mark['kind']): Promise<Mark> {
    const { channel, deadlineMs } = this.options
    const mark = await withinDeadline(channel.clock, deadlineMs, 'a step of a streamed write', this.stream.marks.next())
    if (mark.kind !== kind) throw wrongMark()
    return mark
  }

  private async exclusively<T>(effect: 'withEffect' | 'withoutEffect', action: () => Promise<T>): Promise<T> {
    if (this.state !== 'open') throw new StoreError('Aborted', 'the block was given up, or is committed')
    if (this.busy !== undefined) throw new StoreError('InvalidArgument', 'one call of a block writer at a time')
    const running = action()
    this.busy = running
    try {
      return await running
    } catch (error) {
      this.end('broken')
      throw this.options.channel[effect](error)
    } finally {
      this.busy = undefined
    }
  }

  /** `done`: the datanode ends the call. */
  private end(how: 'done' | 'broken'): void {
    if (this.state === 'over') return
    this.state = 'over'
    if (how === 'broken') this.cancel()
    this.options.channel.leave()
  }

  private cancel(): void {
    this.stream.cancellation.abort(new StoreError('Aborted', 'the block was given up'))
    this.stream.runs.end()
  }
}

function wrongMark(): StoreError {
  return unreadable(method, new StoreError('Internal', 'the datanode has marked something else'))
}
