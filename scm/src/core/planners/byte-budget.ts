/**
 * So many bytes a second, with a little ahead. What is begun is charged at once, and may bring it into debt, so that a
 * container larger than the reserve can pass at all; then nothing passes until the debt is paid. Over any time t at most
 * `bytesPerSecond` · t + `reserveBytes` + one charge is spent.
 */
export class ByteBudget {
  private readonly bytesPerSecond: number
  private readonly reserveBytes: number
  private available: number
  private lastMs: number | undefined

  constructor(limits: { readonly bytesPerSecond: number; readonly reserveBytes: number }) {
    this.bytesPerSecond = limits.bytesPerSecond
    this.reserveBytes = limits.reserveBytes
    this.available = limits.reserveBytes
  }

  /** True while it is not in debt. `nowMs` from a clock that never goes back. */
  admits(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - (this.lastMs ?? nowMs))
    this.lastMs = nowMs
    this.available = Math.min(this.reserveBytes, this.available + (elapsedMs / 1000) * this.bytesPerSecond)
    return this.available > 0
  }

  charge(bytes: number): void {
    this.available -= bytes
  }
}
