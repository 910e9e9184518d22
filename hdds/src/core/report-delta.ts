import { isSameReport } from '@o3/scm/api'
import type { ContainerId, ContainerReport } from '@o3/scm/api'

/** What a heartbeat says of the containers. */
export interface ContainerNews {
  /** All of them; what is not here does not exist. */
  readonly full: boolean
  readonly containers: readonly ContainerReport[]
}

/**
 * What one member of SCM has answered to, so that the next heartbeat to it says only what is new. Its cost is a look at each
 * container, so it keeps the reports themselves, which are the same objects while nothing changes.
 */
export class ReportDelta {
  private readonly answered = new Map<ContainerId, ContainerReport>()
  /** What it knows is uncertain. */
  private isUncertain = true

  /** What the member has not got in this form. All when that is uncertain, or when one is gone: a delta cannot say so. */
  news(reports: readonly ContainerReport[]): ContainerNews {
    if (this.isUncertain) return { full: true, containers: reports }
    const containers: ContainerReport[] = []
    let known = 0
    for (const report of reports) {
      const before = this.answered.get(report.id)
      if (before !== undefined) known++
      if (before === undefined || !isSameReport(before, report)) containers.push(report)
    }
    return known < this.answered.size ? { full: true, containers: reports } : { full: false, containers }
  }

  /** It has answered a heartbeat that was made of these reports. */
  noteAnswered(reports: readonly ContainerReport[]): void {
    for (const report of reports) this.answered.set(report.id, report)
    if (this.answered.size > reports.length) {
      this.answered.clear()
      for (const report of reports) this.answered.set(report.id, report)
    }
    this.isUncertain = false
  }

  /** It did not answer, and may have heard or not; or it asks for all. */
  noteUncertain(): void {
    this.isUncertain = true
  }
}
