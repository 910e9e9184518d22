/** How many of the last events a trace can show. */
const shownEvents = 100

/**
 * What happened, as one number: two runs with equal hashes went the same way. Two FNV-1a streams over time, kind and
 * name of every event.
 */
export class Trace {
  #high = 0x811c9dc5
  #low = 0xcbf29ce4
  #count = 0
  readonly #recent: string[] = []

  add(atMs: number, kind: string, name: string): void {
    const line = `${atMs} ${kind} ${name}`
    let high = this.#high
    let low = this.#low
    for (let i = 0; i < line.length; i++) {
      const unit = line.charCodeAt(i)
      high = Math.imul(high ^ unit, 0x01000193)
      low = Math.imul(low ^ (unit + i), 0x01000193)
    }
    this.#high = high
    this.#low = low
    this.#recent[this.#count++ % shownEvents] = line
  }

  get count(): number {
    return this.#count
  }

  get hash(): string {
    return [this.#high, this.#low].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** The last events, oldest first. */
  recent(): readonly string[] {
    const next = this.#count % shownEvents
    return [...this.#recent.slice(next), ...this.#recent.slice(0, next)]
  }
}
