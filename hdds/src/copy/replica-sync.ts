/**
 * Brings a replica to what its sources hold. A pass walks the local ids in windows: the lists of all sources and of the
 * replica are merged (`planWindow`), and what is missing is fetched from all that have it. Passes are repeated until one has
 * found nothing to do, because the sources go on living: a block that is deleted at one of them while the replica takes it
 * from another is dropped by the next pass. After some passes it is given up; what was taken stays for the next attempt.
 *
 * A source is believed only as far as it agrees with itself: the hashes of what it lists must add up to the hash that it
 * reports. One whose do not is left out, and so is one that fails.
 */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { ContainerId, LocalId } from '@o3/scm/api'
import type { ReplicaSource, ReplicaSummary } from '../api/api.ts'
import { formatHash, sameHash } from '../core/content-hash.ts'
import { runsOf } from '../core/tombstone.ts'
import { untilAborted } from '../service/until-aborted.ts'
import { deleteBlocks } from '../storage/container-deletion.ts'
import { PassWalk } from './pass-walk.ts'
import type { Pass } from './pass-walk.ts'
import type { Participant, SyncOptions, SyncResult } from './sync-options.ts'

const maxPasses = 6
/** Of blocks that are missing, in a message. */
const maxNamed = 3
/** A source that fails so often is not asked again. */
const maxFailures = 3
const pauseMs = 1_000

/** The sealed replicas among them, each with its summary. Those that cannot be asked, or are open, are left out. */
export async function survey(
  container: ContainerId,
  sources: readonly ReplicaSource[],
  log: Logger,
): Promise<readonly Participant[]> {
  const found = await Promise.all(
    sources.map(async (source, index): Promise<Participant | undefined> => {
      try {
        const summary = await source.summarizeReplica(container)
        return summary.seal === 'none' ? undefined : { index, source, summary }
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        log.warn({ container, source: source.id, error }, 'a source of a copy cannot be asked')
        return undefined
      }
    }),
  )
  const there = found.filter((each) => each !== undefined)
  if (there.length > 0) return there
  throw new StoreError('Unavailable', `no sealed replica of container ${container} can be reached`, {
    details: { container },
  })
}

export class ReplicaSync {
  private readonly options: SyncOptions
  private readonly failures = new Map<ReplicaSource, number>()
  private readonly excluded = new Set<ReplicaSource>()

  constructor(options: SyncOptions) {
    this.options = options
  }

  /**
   * Until nothing is left to do. Rejects with `Unavailable` (no source, or blocks that none can give), `Damaged` (sources
   * that contradict each other: a finding), `ConcurrentChange` (they do not come to rest), what the target failed with, or
   * the signal's reason.
   */
  async run(): Promise<SyncResult> {
    let unavailable: readonly LocalId[] = []
    for (let number = 1; number <= maxPasses; number++) {
      this.options.signal.throwIfAborted()
      const pass = await this.passOrPause(number)
      if (pass === undefined) continue
      unavailable = pass.unavailable
      if (!pass.changed && unavailable.length === 0 && this.addsUp(pass)) return pass
    }
    const { container } = this.options
    if (unavailable.length > 0) {
      const some = unavailable.slice(0, maxNamed).join(', ')
      throw new StoreError('Unavailable', `no source can give ${unavailable.length} blocks (${some}) of ${container}`, {
        details: { container },
      })
    }
    throw new StoreError('ConcurrentChange', `the replicas of container ${container} do not come to rest`, {
      details: { container },
    })
  }

  /** The sum that the replica keeps is that of the blocks that were compared; nothing was deleted here meanwhile. */
  private addsUp({ hash }: Pass): boolean {
    const kept = this.options.target.ledger.contentHash
    return hash === undefined || (kept !== undefined && sameHash(kept, hash))
  }

  /** Undefined when every source has failed, and some may be there again later. */
  private async passOrPause(number: number): Promise<Pass | undefined> {
    try {
      return await this.pass()
    } catch (error) {
      const { signal, clock, sources } = this.options
      const isLast = number === maxPasses || sources.every((source) => this.excluded.has(source))
      if (isLast || signal.aborted || !isStoreError(error, 'Unavailable')) throw error
      await clock.sleep(pauseMs, signal)
      return undefined
    }
  }

  private noteFailure(source: ReplicaSource): void {
    const failures = (this.failures.get(source) ?? 0) + 1
    this.failures.set(source, failures)
    if (failures >= maxFailures) this.excluded.add(source)
  }

  private async pass(): Promise<Pass> {
    const { options } = this
    const left = options.sources.filter((source) => !this.excluded.has(source))
    const participants = await untilAborted(survey(options.container, left, options.log), options.signal)
    const walk = new PassWalk(options, participants, (source) => this.noteFailure(source))
    const pass = await walk.run()
    if (await this.findLiars(participants, walk)) return { ...pass, changed: true }
    if (walk.extra.length > 0 && (options.extras === 'drop' || pass.byAuthority)) {
      await deleteBlocks(options.target, runsOf(walk.extra))
      return { ...pass, changed: true }
    }
    return pass
  }

  /** True when somebody was left out, or has changed meanwhile. */
  private async findLiars(participants: readonly Participant[], walk: PassWalk): Promise<boolean> {
    let found = false
    for (const { source, summary, index } of participants) {
      const sum = walk.hashOf(index)
      const isUnknown = sum === undefined || summary.contentHash === undefined
      if (!walk.hasFailed(index) && (isUnknown || formatHash(sum) === summary.contentHash)) continue
      found = true
      if (walk.hasFailed(index)) continue
      const now = await this.summaryOf(source)
      if (now?.contentHash !== summary.contentHash) continue // it lives: the next pass sees what it is now
      this.excluded.add(source)
      const { log, container } = this.options
      log.error({ container, source: source.id }, 'a replica lists other blocks than its hash says; it is left out')
    }
    return found
  }

  private async summaryOf(source: ReplicaSource): Promise<ReplicaSummary | undefined> {
    try {
      const { container, signal } = this.options
      return await untilAborted(source.summarizeReplica(container), signal)
    } catch (error) {
      this.options.signal.throwIfAborted()
      if (!(error instanceof StoreError)) throw error
      return undefined
    }
  }
}
