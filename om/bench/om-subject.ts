/**
 * One member of an OM group of three, in a process of its own, under the benchmark of `ratis/bench`: the real rules over the
 * real store, LevelDB under it. One write is one commit of a new key with one leased block, with a request id, as the S3
 * plugin makes it.
 */

import { mkdir, rm } from 'node:fs/promises'
import { nodeEnv } from '@o3/common/env/node'
import { isStoreError } from '@o3/common/errors'
import { openLevelKv } from '@o3/common/kv/level'
import type { ReplicatedStore } from '@o3/ratis/api'
import { openReplicatedStore, raftMember } from '@o3/ratis/store'
import type { BlockId } from '@o3/scm/api'
import { CountingEnv } from '../../ratis/bench/counting-env.ts'
import { openMemberParts, type MemberGiven } from '../../ratis/bench/member-parts.ts'
import { serveSubject } from '../../ratis/bench/subject.ts'
import type { LeaseId, OmCommand, OmReply } from '../src/api/api.ts'
import { omRules } from '../src/core/rules.ts'

type OmStore = ReplicatedStore<OmCommand, OmReply>

const cacheBytes = 64 * 1024 * 1024
const where = { volume: 's3v', bucket: 'bucket' } as const
const replication = 'RATIS/ONE'
/** As a gateway asks for. */
const blocksPerLease = 1024
const etag = '0123456789abcdef'.repeat(2)

/** Commits keys that were not there, each with the next block of a lease. */
class Committer {
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

await serveSubject(async (given: MemberGiven) => {
  const counting = new CountingEnv(nodeEnv())
  const { directory, id, preferred } = given
  const parts = await openMemberParts(counting, given)
  await mkdir(`${directory}/kv`, { recursive: true })
  const store = await openReplicatedStore({
    env: counting.env,
    directory,
    rules: omRules,
    kv: {
      open: (name) => openLevelKv(`${directory}/kv/${name}`, { cacheBytes: cacheBytes / 2 }),
      remove: (name) => rm(`${directory}/kv/${name}`, { recursive: true, force: true }),
    },
    cacheBytes,
    consensus: raftMember({ ...parts.node, directory: `${directory}/log` }),
  })
  const committer = new Committer(store, (delayMs) => counting.env.clock.sleep(delayMs))
  if (id === preferred) await committer.prepare()
  return {
    write: () => committer.commit(),
    counts: () => counting.counts,
    close: async () => {
      await store.close()
      await parts.close()
    },
  }
})
