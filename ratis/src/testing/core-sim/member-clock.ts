/** A monotonic clock that is not quite right: it runs at its own rate, and may jump forward or stand still. */
export class MemberClock {
  readonly #trueMs: () => number
  #rate: number
  #stands = false
  #baseTrueMs: number
  #baseMs: number

  constructor(trueMs: () => number, startMs: number, rate: number) {
    this.#trueMs = trueMs
    this.#rate = rate
    this.#baseTrueMs = trueMs()
    this.#baseMs = startMs
  }

  nowMs(): number {
    return this.#baseMs + (this.#stands ? 0 : (this.#trueMs() - this.#baseTrueMs) * this.#rate)
  }

  /** How long it takes in true time until this clock has gone on by `durationMs`, if it goes. */
  trueDurationMs(durationMs: number): number {
    return durationMs / this.#rate
  }

  setRate(rate: number): void {
    this.#rebase()
    this.#rate = rate
  }

  /** As that of a virtual machine which is stopped. */
  stand(): void {
    this.#rebase()
    this.#stands = true
  }

  /** A little time passes even so: without leases they are as short as can be, and not nothing. */
  go(): void {
    this.#rebase()
    if (this.#stands) this.#baseMs += 0.01
    this.#stands = false
  }

  /** Forward only: it is monotonic. */
  jump(byMs: number): void {
    this.#baseMs += byMs
  }

  #rebase(): void {
    this.#baseMs = this.nowMs()
    this.#baseTrueMs = this.#trueMs()
  }
}
