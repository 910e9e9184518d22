/** The three instruments. Each keeps its numbers in a typed array of its own, so that an update allocates nothing. */

import { assert } from '../errors.ts'

/** Only grows. */
export class Counter {
  private readonly cell = new Float64Array(1)

  add(amount = 1): void {
    this.cell[0] = this.value + amount
  }

  get value(): number {
    return this.cell[0] as number
  }
}

export class Gauge {
  private readonly cell = new Float64Array(1)

  set(value: number): void {
    this.cell[0] = value
  }

  add(amount: number): void {
    this.cell[0] = this.value + amount
  }

  get value(): number {
    return this.cell[0] as number
  }
}

export class Histogram {
  /** Upper bounds, ascending, +Inf left out. */
  readonly bounds: Float64Array
  private readonly counts: Float64Array
  private total = 0

  constructor(bounds: readonly number[]) {
    assert(
      bounds.length > 0 && bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] as number)),
      'the bounds of a histogram ascend',
    )
    this.bounds = Float64Array.from(bounds)
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** NaN counts as beyond the last bound. */
  observe(value: number): void {
    const { bounds, counts } = this
    // Most observations fall into the first buckets, and there are a dozen: a scan beats a binary search.
    let bucket = 0
    while (bucket < bounds.length && !(value <= (bounds[bucket] as number))) bucket++
    counts[bucket] = (counts[bucket] as number) + 1
    this.total += value
  }

  get sum(): number {
    return this.total
  }

  /** For each bound, then for +Inf, how many observations were at most that. */
  cumulative(): readonly number[] {
    let running = 0
    return Array.from(this.counts, (count) => (running += count))
  }
}

/** For latencies: 100 µs to 30 s. */
export const secondsBuckets: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/** For sizes: 1 KiB to 16 GiB in steps of 16. */
export const bytesBuckets: readonly number[] = [2 ** 10, 2 ** 14, 2 ** 18, 2 ** 22, 2 ** 26, 2 ** 30, 2 ** 34]
