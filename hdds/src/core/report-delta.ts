import type { ContainerId, ContainerReport } from '@o3/scm/api'

/** What a heartbeat says of the containers. */
export interface ContainerNews {
  /** All of them; what is not here does not exist. */
  readonly full: boolean
  readonly containers: readonly ContainerReport[]
}

/** What one member of SCM has answered to, so that the next heartbeat to it says only what is new. */
export class ReportDelta {
  /** Undefined: what it knows is uncertain. */
  private answered: ReadonlyMap<ContainerId, string> | undefined

  /** What the member has not got in this form. All when that is uncertain, or when one is gone: a delta cannot say so. */
  news(reports: readonly ContainerReport[]): ContainerNews {
    const { answered } = this
    if (answered === undefined) return { full: true, containers: reports }
    const known = reports.filter(({ id }) => answered.has(id)).length
    if (known < answered.size) return { full: true, containers: reports }
    return { full: false, containers: reports.filter((report) => answered.get(report.id) !== factsOf(report)) }
  }

  /** It has answered a heartbeat that was made of these reports. */
  noteAnswered(reports: readonly ContainerReport[]): void {
    this.answered = new Map(reports.map((report) => [report.id, factsOf(report)]))
  }

  /** It did not answer, and may have heard or not; or it asks for all. */
  noteUncertain(): void {
    this.answered = undefined
  }
}

function factsOf(report: ContainerReport): string {
  const { state, open, generation, usedBytes, liveBytes, blockCount, contentHash, pipeline } = report
  return `${state} ${open} ${generation} ${usedBytes} ${liveBytes} ${blockCount} ${contentHash} ${pipeline}`
}
