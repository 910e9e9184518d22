/** A monotonic clock that is not quite right: it runs at its own rate and may jump forward, or stand still. */
export class MemberClock {
  readonly #trueMs: () => number
  #rate: number
  #baseTrueMs: number
  #baseMs: number

  constructor(trueMs: () => number, startMs: number, rate: number) {
    this.#trueMs = trueMs
    this.#rate = rate
    this.#baseTrueMs = trueMs()
    this.#baseMs = startMs
  }

  nowMs(): number {
    return this.#baseMs + (this.#trueMs() - this.#baseTrueMs) * this.#rate
  }

  /** How long it takes in true time until this clock has gone on by `durationMs`. */
  trueDurationMs(durationMs: number): number {
    return durationMs / Math.max(this.#rate, 0.01)
  }

  get rate(): number {
    return this.#rate
  }

  /** 0: it stands still, as that of a virtual machine which is stopped. */
  setRate(rate: number): void {
    this.#baseMs = this.nowMs()
    this.#baseTrueMs = this.#trueMs()
    this.#rate = rate
  }

  /** Forward only: it is monotonic. */
  jump(byMs: number): void {
    this.#baseMs += byMs
  }
}
