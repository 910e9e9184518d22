import type { ContainerId, ContainerReport } from '@o3/scm/api'

/** What SCM has answered to, so that the next heartbeat says only what is new. */
export class ReportDelta {
  private answered = new Map<ContainerId, string>()

  /** The reports that SCM has not got in this form; all of them when `full`. */
  changed(reports: readonly ContainerReport[], full: boolean): readonly ContainerReport[] {
    return full ? reports : reports.filter((report) => this.answered.get(report.id) !== factsOf(report))
  }

  /** SCM has answered a heartbeat that was made of these reports. Containers that are gone are forgotten. */
  noteAnswered(reports: readonly ContainerReport[]): void {
    this.answered = new Map(reports.map((report) => [report.id, factsOf(report)]))
  }
}

function factsOf({ state, generation, usedBytes, liveBytes, blockCount }: ContainerReport): string {
  return `${state} ${generation} ${usedBytes} ${liveBytes} ${blockCount}`
}
