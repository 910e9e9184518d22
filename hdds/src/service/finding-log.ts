import type { Logger } from '@o3/common/logger'
import type { ScrubFinding } from '../api/api.ts'

const maxFindings = 1_000

/** Damage that readers, the scrubber and recovery found, newest last. Bounded: the oldest are forgotten. */
export class FindingLog {
  private readonly log: Logger
  private readonly list: ScrubFinding[] = []
  private readonly known = new Set<string>()
  private count = 0

  constructor(log: Logger) {
    this.log = log
  }

  /** The same place is noted and logged once, however often it is read. */
  add(finding: ScrubFinding): void {
    const key = keyOf(finding)
    if (this.known.has(key)) return
    this.count++
    this.log.error({ finding }, 'stored bytes are damaged')
    this.known.add(key)
    this.list.push(finding)
    if (this.list.length <= maxFindings) return
    const forgotten = this.list.shift()
    if (forgotten !== undefined) this.known.delete(keyOf(forgotten))
  }

  all(): readonly ScrubFinding[] {
    return [...this.list]
  }

  /** Since the start, also those that are forgotten. */
  get total(): number {
    return this.count
  }
}

function keyOf({ kind, container, local, path, fileOffset }: ScrubFinding): string {
  return `${kind}/${container}/${local ?? ''}/${path}/${fileOffset}`
}
