import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { KnownChecksums } from '../api/api.ts'
import { BlockChecksum } from '../core/block-checksum.ts'
import { chunksOf } from '../core/chunks.ts'
import { recordBytes } from '../core/record-layout.ts'
import type { NewRecord } from './appender.ts'
import { commitPayload } from '../core/commit.ts'
import { crc32c, totalLength, unitChecksums } from './checksum.ts'
import type { DiskScope } from './disk-scope.ts'

export interface ContainerWriterOptions {
  readonly local: LocalId
  readonly scope: DiskScope
  readonly append: (record: NewRecord, durability: 'cached' | 'durable') => Promise<void>
  /** Undefined, or a promise that resolves when not too much is written and unsynced. */
  readonly room: () => Promise<void> | undefined
  /** Called once. */
  readonly ended: (outcome: 'committed' | 'aborted') => Promise<void> | void
}

export interface CommittedBlock {
  readonly lengthBytes: number
  /** See `BlockChecksum`. */
  readonly checksum: number
}

/**
 * Streams one block into a container: a data record per chunk, then a commit record. One call at a time; after one that
 * failed the block is given up.
 */
export class ContainerWriter {
  private readonly options: ContainerWriterOptions
  private readonly checksum = new BlockChecksum(crc32c)
  private lengthBytes = 0
  private state: 'open' | 'aborting' | 'committed' | 'aborted' = 'open'
  private busy: Promise<unknown> | undefined

  constructor(options: ContainerWriterOptions) {
    this.options = options
  }

  /** In the disk's cache when it resolves. More than a chunk is cut into several; `known` goes with at most one. */
  write(pieces: readonly Uint8Array[], known: KnownChecksums = {}): Promise<void> {
    return this.exclusively(() => this.writeChunks(pieces, known))
  }

  /** Durable when it resolves. */
  commit(): Promise<CommittedBlock> {
    return this.exclusively(async () => {
      const { scope, local, append, ended } = this.options
      scope.env.at('hdds.stream.before-commit')
      const { lengthBytes } = this
      const checksum = this.checksum.value()
      const payload = commitPayload(checksum)
      const record = { kind: 'commit', local, whole: false, blockOffset: lengthBytes, length: payload.length } as const
      await append({ ...record, checksums: unitChecksums([payload]), pieces: [payload], checksum }, 'durable')
      this.state = 'committed'
      await ended('committed')
      return { lengthBytes, checksum }
    })
  }

  /** Idempotent; does nothing after a commit. */
  async abort(): Promise<void> {
    if (this.state !== 'open') return
    this.state = 'aborting'
    // What is under way reports to its caller; here only its end matters. It may have been the commit.
    await this.busy?.catch(ignore)
    if (this.hasCommitted()) return
    this.state = 'aborted'
    await this.options.ended('aborted')
  }

  /** The block was deleted, or the datanode stops: the next call of the writer is told. */
  cancel(): void {
    void this.abort()
  }

  private hasCommitted(): boolean {
    return this.state === 'committed'
  }

  private async writeChunks(pieces: readonly Uint8Array[], known: KnownChecksums): Promise<void> {
    const { scope, local, append, room } = this.options
    for (const chunk of chunksOf(pieces)) {
      await room()
      if (this.state !== 'open') throw new StoreError('Aborted', 'the block was given up')
      if (scope.index.isBehind) await scope.index.catchUp()
      const length = totalLength(chunk)
      const taken = recordBytes(length)
      scope.space.take(taken)
      const record = { kind: 'data', local, whole: false, blockOffset: this.lengthBytes, length } as const
      const checksums = known.units ?? unitChecksums(chunk)
      this.checksum.add(chunk, checksums)
      try {
        await append({ ...record, checksums, pieces: chunk }, 'cached')
      } finally {
        scope.space.landed(taken)
      }
      this.lengthBytes += length
      scope.env.at('hdds.stream.chunk-written')
    }
  }

  private async exclusively<T>(action: () => Promise<T>): Promise<T> {
    if (this.state !== 'open') throw new StoreError('Aborted', 'the block was given up, or is committed')
    if (this.busy !== undefined) throw new StoreError('InvalidArgument', 'one call of a block writer at a time')
    const running = action()
    this.busy = running
    try {
      return await running
    } catch (error) {
      // A writer that has failed is over, whether its owner aborts it or not: a closing container waits for it.
      if (this.state === 'open') {
        this.state = 'aborted'
        await this.options.ended('aborted')
      }
      throw error
    } finally {
      this.busy = undefined
    }
  }
}

function ignore(): void {}
