/** The load of the OM benchmark: keys that were not there, each with the next block of a lease. */

import { isStoreError } from '@o3/common/errors'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { BlockId } from '@o3/scm/api'
import type { LeaseId, OmCommand, OmReply } from '../src/api/api.ts'

type OmStore = ReplicatedStore<OmCommand, OmReply>

const where = { volume: 's3v', bucket: 'bucket' } as const
const replication = 'RATIS/ONE'
/** As a gateway asks for. */
const blocksPerLease = 1024
const etag = '0123456789abcdef'.repeat(2)

/** Commits keys that were not there, each with the next block of a lease. */
export class Committer {
  private readonly store: OmStore
  private readonly sleep: (delayMs: number) => Promise<void>
  private readonly life = Date.now().toString(36)
  private keys = 0
  private lease: Promise<LeaseId> | undefined
  private container = 0
  private usedBlocks = blocksPerLease

  constructor(store: OmStore, sleep: (delayMs: number) => Promise<void>) {
    this.store = store
    this.sleep = sleep
  }

  async prepare(): Promise<void> {
    await this.execute({ kind: 'create-volume', volume: where.volume, owner: 'ann', quota: {} }, 'volume')
    await this.execute({ kind: 'create-bucket', ...where, owner: 'ann', quota: {}, replication }, 'bucket')
  }

  async commit(): Promise<void> {
    const n = this.keys++
    const { lease, block } = await this.nextBlock()
    const command: OmCommand = {
      kind: 'commit-key',
      ...where,
      key: `bench/objects/${this.life}-${n}`,
      owner: 'ann',
      size: 4096,
      content: { kind: 'leased', lease, extents: [{ block, length: 4096 }] },
      attributes: { etag, contentType: 'application/octet-stream', headers: {}, metadata: {}, tags: {} },
      preconditions: {},
    }
    await this.execute(command, `${this.life}-${n}`)
  }

  /** Until it is answered: on a machine that is busy with others the lead may go away, and comes back. */
  private async execute(command: OmCommand, requestId: string): Promise<OmReply> {
    for (;;) {
      try {
        return await this.store.execute(command, { requestId })
      } catch (error) {
        if (isStoreError(error, 'VolumeAlreadyExists', 'BucketAlreadyExists')) return { kind: 'done' }
        if (!isStoreError(error, 'NotLeader', 'OutcomeUnknown')) throw error
        await this.sleep(50)
      }
    }
  }

  private async nextBlock(): Promise<{ readonly lease: LeaseId; readonly block: BlockId }> {
    if (this.usedBlocks === blocksPerLease) {
      this.usedBlocks = 0
      this.lease = this.grant(++this.container)
    }
    const block = { container: this.container, local: ++this.usedBlocks }
    const lease = await this.lease
    if (lease === undefined) throw new Error('there is no lease')
    return { lease, block }
  }

  private async grant(container: number): Promise<LeaseId> {
    const ranges = [{ container, firstLocal: 1, count: blocksPerLease }]
    const command: OmCommand = { kind: 'grant-lease', holder: 'gateway', durationMs: 600_000, replication, ranges }
    const reply = await this.execute(command, `${this.life}-lease-${container}`)
    if (reply.kind !== 'lease') throw new Error(`a grant was answered with ${reply.kind}`)
    return reply.lease.id
  }
}
