/** Latencies of many requests in a fixed memory: exponential buckets of 1 % from 10 µs to 100 s. */

const lowest = 0.01
const growth = 1.01
const buckets = Math.ceil(Math.log(100_000 / lowest) / Math.log(growth))

export class Latencies {
  private readonly counts = new Uint32Array(buckets + 1)
  private total = 0

  record(ms: number): void {
    const exponent = Math.log(Math.max(ms, lowest) / lowest) / Math.log(growth)
    const bucket = Math.min(Math.floor(exponent), buckets)
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.total += 1
  }

  get count(): number {
    return this.total
  }

  /** In milliseconds, within 1 %; 0 when nothing was recorded. */
  percentile(percent: number): number {
    let left = Math.ceil((this.total * percent) / 100)
    for (let i = 0; i < this.counts.length; i++) {
      left -= this.counts[i] as number
      if (left <= 0) return this.total === 0 ? 0 : lowest * growth ** i
    }
    return lowest * growth ** buckets
  }
}
