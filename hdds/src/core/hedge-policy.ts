/** When a reader asks a second replica beside the first, and how often. */

export interface HedgeLimits {
  readonly floorMs: number
  readonly capMs: number
  /** Of all reads. */
  readonly share: number
  /** Hedges that may follow one another at once, when there were none for long. */
  readonly burst: number
}

/**
 * Below 20 ms a second request costs the cluster more than the wait costs the reader; beyond a second it comes too late. One
 * in twenty reads is slower than the 95th percentile by its definition, so a share of 5 % covers those, and no more: where
 * everything is slow, hedges would make it slower.
 */
export const defaultHedgeLimits: HedgeLimits = { floorMs: 20, capMs: 1_000, share: 0.05, burst: 10 }

/** Times that are remembered, the newest. */
const windowLength = 256
/** Fewer say nothing about a percentile. */
const enough = 20
/** Until there are enough. */
const firstGuessMs = 100
/** Measurements between two computations: sorting 256 numbers takes some 10 µs. */
const freshFor = 32

/** Bounds the wait for a first byte by the 95th percentile of recent ones, and the hedges by a share of the reads. */
export class HedgePolicy {
  private readonly limits: HedgeLimits
  private readonly times = new Float64Array(windowLength)
  private count = 0
  private boundMs: number
  private tokens: number

  constructor(limits: HedgeLimits = defaultHedgeLimits) {
    this.limits = limits
    this.boundMs = this.clamp(firstGuessMs)
    this.tokens = limits.burst
  }

  /** After so many milliseconds without a first byte another replica may be asked. */
  get afterMs(): number {
    return this.boundMs
  }

  /** A read begins: it earns its share of a hedge. */
  began(): void {
    this.tokens = Math.min(this.limits.burst, this.tokens + this.limits.share)
  }

  /** The first byte took so long. */
  measured(latencyMs: number): void {
    this.times[this.count++ % windowLength] = latencyMs
    if (this.count < enough || this.count % freshFor !== 0) return
    const known = this.times.slice(0, Math.min(this.count, windowLength)).sort()
    this.boundMs = this.clamp(known[Math.ceil(known.length * 0.95) - 1] ?? firstGuessMs)
  }

  /** Whether one more hedge may be made; if so it counts as made. */
  take(): boolean {
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  private clamp(ms: number): number {
    return Math.min(this.limits.capMs, Math.max(this.limits.floorMs, ms))
  }
}
