import type { Clock } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { HddsConfig } from '../config.ts'
import { nextScrub, scrubRate } from '../core/scrub-schedule.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { Pace } from '../storage/pace.ts'
import type { Reconciler } from './reconciler.ts'

export interface ScrubbingOptions {
  readonly disk: DataDisk
  readonly clock: Clock
  readonly log: Logger
  readonly config: HddsConfig
}

/** A disk without work for the scrubber is looked at again after this, or after a quarter of a short deadline. */
const mostIdleMs = 60_000

/** Reads one disk from end to end, again and again, as fast as its deadline demands: one container per round. */
export class Scrubbing implements Reconciler {
  readonly name: string
  private readonly options: ScrubbingOptions
  private readonly pace: Pace
  private bytesPerSecond = Infinity
  private waitMs = 0

  constructor(options: ScrubbingOptions) {
    this.options = options
    this.name = `hdds.scrub ${options.disk.path}`
    this.pace = new Pace(options.clock, () => this.bytesPerSecond)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { disk, clock, config, log } = this.options
    const idleMs = Math.min(mostIdleMs, config.scrubDeadlineMs / 4)
    this.waitMs = idleMs
    if (disk.state === 'failed') return
    const stamps = await disk.scrubStamps()
    const candidates = [...disk.containers.keys()].map((id) => ({ container: id, scrubbedMs: stamps.get(id) }))
    const turn = nextScrub(candidates, { nowMs: clock.wallMs(), deadlineMs: config.scrubDeadlineMs })
    const container = turn === undefined ? undefined : disk.containers.get(turn.container)
    if (turn === undefined || container === undefined) return
    if (turn.waitMs > 0) {
      this.waitMs = Math.min(turn.waitMs, idleMs)
      return
    }
    this.bytesPerSecond = scrubRate(disk.report().usedBytes, config.scrubDeadlineMs)
    const findings = await disk.scrub(container, { pace: this.pace, signal })
    this.waitMs = 0 // after a failure the next round waits
    log.debug({ container: container.id, findings: findings.length }, 'container scrubbed')
  }

  pauseMs(): number {
    return this.waitMs
  }
}
