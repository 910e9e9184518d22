/**
 * The files of replicas that were damaged and deleted, or made anew on another disk while theirs was away: they move aside, for a
 * person who wants to know what happened, or whom the last sound bytes of a block are worth the work. Bounded: the oldest goes
 * when there are more than `quarantineFiles`, when it is older than `quarantineMs`, or when the disk is full.
 */

import type { ScrubFinding } from '../api/api.ts'
import { formatQuarantinedName, parseQuarantinedName } from '../core/container-name.ts'
import type { QuarantinedName } from '../core/container-name.ts'
import { isMissing } from '../core/disk-failure.ts'
import type { ContainerFile } from './container-file.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory } from './disk-scope.ts'

export interface QuarantineLimits {
  readonly quarantineFiles: number
  readonly quarantineMs: number
}

export class Quarantine {
  private readonly scope: DiskScope
  private readonly limits: QuarantineLimits
  /** Not the disk's own: a container of the same id that is here again is not damaged. */
  private readonly report: (finding: ScrubFinding) => void
  /** Oldest first. */
  private files: QuarantinedName[] = []

  private constructor(scope: DiskScope, limits: QuarantineLimits, report: (finding: ScrubFinding) => void) {
    this.scope = scope
    this.limits = limits
    this.report = report
  }

  static async open(
    scope: DiskScope,
    limits: QuarantineLimits,
    report: (finding: ScrubFinding) => void,
  ): Promise<Quarantine> {
    const quarantine = new Quarantine(scope, limits, report)
    if ((await scope.env.disk.stat(quarantine.directory)) !== undefined) {
      const names = await scope.env.disk.list(quarantine.directory)
      quarantine.files = names.flatMap((name) => parseQuarantinedName(name) ?? [])
      quarantine.files.sort((a, b) => a.sinceMs - b.sinceMs)
      for (const file of quarantine.files) quarantine.reportFile(file)
    }
    await quarantine.trim()
    return quarantine
  }

  /** A file that nobody uses any more. It is out of the containers, durably, when this resolves. */
  async take({ path, name }: ContainerFile): Promise<void> {
    const { env } = this.scope
    const file = { ...name, sinceMs: Math.floor(env.clock.wallMs()) }
    await env.disk.makeDirectory(this.directory)
    await env.disk.syncDirectory(this.scope.path)
    env.at('hdds.quarantine.before-rename')
    try {
      await env.disk.rename(path, this.pathOf(file))
    } catch (error) {
      // It is damaged because it is missing.
      if (isMissing(error)) return
      throw error
    }
    // The new name first: between the two the file has both names, or one.
    await env.disk.syncDirectory(this.directory)
    env.at('hdds.quarantine.before-directory-sync')
    await env.disk.syncDirectory(containersDirectory(this.scope.path))
    this.files.push(file)
    this.reportFile(file)
    await this.trim()
  }

  /** Removes what is too old or too much; the oldest where the disk has no room. */
  async trim(): Promise<void> {
    const { env, space } = this.scope
    for (;;) {
      const [oldest] = this.files
      if (oldest === undefined) return
      const isOld = env.clock.wallMs() - oldest.sinceMs > this.limits.quarantineMs
      if (!isOld && this.files.length <= this.limits.quarantineFiles && !space.isFull) return
      this.files.shift()
      await this.remove(oldest)
      if (space.isFull) return // another when it has been looked how much is free
    }
  }

  private async remove(file: QuarantinedName): Promise<void> {
    const path = this.pathOf(file)
    this.scope.log.info({ path }, 'a file leaves the quarantine')
    try {
      await this.scope.env.disk.remove(path)
    } catch (error) {
      // A person may have taken it.
      if (!isMissing(error)) throw error
    }
  }

  private get directory(): string {
    return `${this.scope.path}/quarantine`
  }

  private pathOf(file: QuarantinedName): string {
    return `${this.directory}/${formatQuarantinedName(file)}`
  }

  private reportFile(file: QuarantinedName): void {
    const { container } = file
    const message = `a damaged or outdated replica of container ${container} was deleted; its file is kept for a while`
    this.report({ kind: 'quarantined', container, path: this.pathOf(file), fileOffset: 0, message })
  }
}
