/** What was done to the cluster and what its clients saw of it, counted. One line of it is printed at the end. */

export const countedThings = [
  'kills',
  'restarts',
  'stops',
  'cuts',
  'flips',
  'disks',
  'requests',
  'retries',
  'unknowns',
  'failures',
  'wrong',
  'lost',
] as const

export type Counted = (typeof countedThings)[number]

const slowMs = 10_000
const mostSlow = 30

export class Ledger {
  /** What a person has to read; each makes the lane fail. */
  readonly findings: string[] = []
  private readonly counts = new Map<Counted, number>()
  /** Requests that took long, with what their attempts were told. */
  readonly slow: string[] = []
  private slowest = { what: 'none', ms: 0 }

  add(thing: Counted, count = 1): void {
    this.counts.set(thing, this.of(thing) + count)
  }

  of(thing: Counted): number {
    return this.counts.get(thing) ?? 0
  }

  /** A request whose answer took so long, retries included. */
  took(what: string, ms: number, notes: readonly string[]): void {
    if (ms > this.slowest.ms) this.slowest = { what, ms }
    if (ms > slowMs && this.slow.length < mostSlow) this.slow.push(`${what}: ${seconds(ms)}: ${notes.join('; ')}`)
  }

  find(kind: 'failures' | 'wrong' | 'lost', what: string): void {
    this.add(kind)
    this.findings.push(what)
  }

  line(): string {
    const counts = countedThings.map((thing) => `${thing} ${this.of(thing)}`).join(', ')
    return `${counts}; slowest ${seconds(this.slowest.ms)} (${this.slowest.what})`
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

/** Of durations in ms, sorted or not. */
export function percentiles(durations: readonly number[]): string {
  const sorted = durations.toSorted((a, b) => a - b)
  const at = (fraction: number): string => seconds(sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? 0)
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`
}
