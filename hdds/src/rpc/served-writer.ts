import { StoreError, unreachable } from '@o3/common/errors'
import type { BlockWriter } from '../api/api.ts'
import { isAttested } from './records.ts'
import { RunReader, encodeMark } from './runs.ts'
import type { Run } from './runs.ts'

type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }

/**
 * The reply's body of a streamed write: asked for the next mark it takes the next run and carries it out. However it
 * ends without a commit (the caller cancels, falls silent, goes away, sends nonsense; the disk fails) the writer is
 * aborted, so that the container can close and the space of what was written is known as garbage.
 */
export class ServedWriter implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly writer: BlockWriter
  private readonly runs: RunReader
  private landedBytes = 0
  private isOver = false

  constructor(writer: BlockWriter, body: AsyncIterable<Uint8Array>) {
    this.writer = writer
    this.runs = new RunReader(body)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    if (this.isOver) return over
    try {
      return { done: false, value: await this.carryOut(await this.runs.next()) }
    } catch (error) {
      await this.return()
      throw error
    }
  }

  async return(): Promise<Step> {
    if (this.isOver) return over
    this.isOver = true
    await this.writer.abort()
    return over
  }

  private async carryOut(run: Run): Promise<Uint8Array> {
    switch (run.kind) {
      case 'data':
        await this.writer.write(run.pieces, { units: run.units })
        this.landedBytes += run.lengthBytes
        return encodeMark({ kind: 'landed', totalBytes: this.landedBytes })
      case 'commit':
        return await this.commit()
      case 'abort':
        await this.return()
        return encodeMark({ kind: 'aborted', totalBytes: 0 })
      default:
        return unreachable(run)
    }
  }

  private async commit(): Promise<Uint8Array> {
    const receipt = await this.writer.commit()
    this.isOver = true
    const { lengthBytes: totalBytes } = receipt
    if (totalBytes !== this.landedBytes) throw new StoreError('Internal', 'a block is not as long as was written')
    return encodeMark({ kind: 'committed', totalBytes, ...(isAttested(receipt) && { receipt }) })
  }
}
