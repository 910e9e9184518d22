import type { Logger } from '@o3/common/logger'
import type { ScrubFinding } from '../api/api.ts'

const maxFindings = 1_000

/** Damage that readers, the scrubber and recovery found, newest last. Bounded: the oldest are forgotten. */
export class FindingLog {
  private readonly log: Logger
  private readonly list: ScrubFinding[] = []
  private readonly known = new Set<string>()

  constructor(log: Logger) {
    this.log = log
  }

  /** The same place is noted and logged once, however often it is read. False when it was known. */
  add(finding: ScrubFinding): boolean {
    const key = keyOf(finding)
    if (this.known.has(key)) return false
    this.log.error({ finding }, 'stored bytes are damaged')
    this.known.add(key)
    this.list.push(finding)
    const forgotten = this.list.length > maxFindings ? this.list.shift() : undefined
    if (forgotten !== undefined) this.known.delete(keyOf(forgotten))
    return true
  }

  all(): readonly ScrubFinding[] {
    return [...this.list]
  }
}

function keyOf({ kind, container, local, path, fileOffset }: ScrubFinding): string {
  return `${kind}/${container}/${local ?? ''}/${path}/${fileOffset}`
}
