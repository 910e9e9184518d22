import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, LocalId, ReplicaLocation } from '@o3/scm/api'
import type { Datanode } from '../api/api.ts'
import type { Directory } from '../core/ec/directory.ts'
import { encodeDescriptor } from '../core/ec/shard-descriptor.ts'
import type { ShardDescriptor } from '../core/ec/shard-descriptor.ts'
import { descriptorLocal, directoryIndexLocal, directoryPageLocal } from '../core/ec/shard-locals.ts'
import type { ShardDoors } from './shard-reads.ts'

export interface ShardWriterOptions {
  readonly container: ContainerId
  readonly at: ReplicaLocation
  readonly doors: ShardDoors
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
}

const pausesMs = [200, 1_000, 3_000]

/**
 * Makes one shard at its place: cells, directory, and the descriptor last. Everything may be written again, also by somebody who
 * begins anew, because the same bytes under the same id are answered like the first time.
 */
export class ShardWriter {
  private readonly options: ShardWriterOptions
  private readonly datanode: Datanode

  /** `Unavailable` when the datanode is not known. */
  constructor(options: ShardWriterOptions) {
    const { at, container, doors } = options
    const datanode = doors.datanode(at.datanode, at.address)
    if (datanode === undefined) {
      throw new StoreError('Unavailable', `datanode ${at.datanode} cannot be reached`, { details: { container } })
    }
    this.options = options
    this.datanode = datanode
  }

  /** Durable when it resolves. `ConcurrentChange`: the shard has other bytes there, of another encoding. */
  async write(local: LocalId, bytes: Uint8Array): Promise<void> {
    const { container, doors } = this.options
    const block: BlockId = { container, local }
    await this.patiently(async () => {
      try {
        await this.datanode.writeBlock(block, [bytes], doors.access?.(block))
      } catch (error) {
        if (!isStoreError(error, 'InvalidArgument')) throw error
        throw new StoreError('ConcurrentChange', `container ${container} holds a shard of another encoding`, {
          details: { container, local },
          cause: error,
        })
      }
    })
  }

  /** The directory, the descriptor, and no more writes. */
  async finish({ index, pages }: Directory, descriptor: ShardDescriptor): Promise<void> {
    for (const [page, bytes] of pages.entries()) await this.write(directoryPageLocal(page), bytes)
    await this.write(directoryIndexLocal, index)
    await this.write(descriptorLocal, encodeDescriptor(descriptor))
    await this.close()
  }

  async close(): Promise<void> {
    await this.patiently(() => this.datanode.closeContainer(this.options.container))
  }

  private async patiently(action: () => Promise<void>): Promise<void> {
    const { clock, signal } = this.options
    for (const pauseMs of pausesMs) {
      try {
        return await action()
      } catch (error) {
        if (!mayPass(error)) throw error
        await clock.sleep(pauseMs, signal)
      }
    }
    await action()
  }
}

/** A shard that somebody has closed before it was whole stays so. */
function mayPass(error: unknown): boolean {
  if (isStoreError(error, 'Busy', 'OutcomeUnknown', 'DeadlineExceeded')) return true
  return isStoreError(error, 'Unavailable') && error.details['state'] !== 'CLOSED'
}
