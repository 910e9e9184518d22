/** How many of the last lines a recording trace keeps. */
const keptLines = 200_000
const lineWidth = 80

/**
 * What happened, as one number: two runs with equal hashes went the same way. Texts are made only while recording: a run
 * that failed is run again, recorded, since the seed gives the same run.
 */
export class CoreTrace {
  readonly isRecording: boolean
  #high = 0x811c9dc5
  #low = 0x2545f491
  #count = 0
  #lines: string[] = []
  readonly #hashes = new Map<string, number>()

  constructor(isRecording: boolean) {
    this.isRecording = isRecording
  }

  get count(): number {
    return this.#count
  }

  get hash(): string {
    return [this.#high, this.#low].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** `facts`: up to two numbers that tell this occurrence from others of its kind. */
  note(atMs: number, kind: string, who: string, facts: readonly [number, number], text?: () => string): void {
    this.#count++
    this.#mix(Math.round(atMs * 1000))
    this.#mix(this.#hashOf(kind))
    this.#mix(this.#hashOf(who))
    this.#mix(facts[0])
    this.#mix(facts[1])
    if (this.isRecording) this.#record(`${atMs.toFixed(2).padStart(9)} ${kind} ${who} ${text?.() ?? ''}`.trimEnd())
  }

  /** The last lines, oldest first. */
  recent(count: number): readonly string[] {
    return this.#lines.slice(-count)
  }

  #record(line: string): void {
    this.#lines.push(line.length > lineWidth ? `${line.slice(0, lineWidth - 1)}…` : line)
    if (this.#lines.length > 2 * keptLines) this.#lines = this.#lines.slice(-keptLines)
  }

  #mix(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193)
    this.#low = Math.imul((this.#low << 5) ^ (this.#low >>> 27) ^ value, 0x9e3779b1)
  }

  #hashOf(text: string): number {
    let hash = this.#hashes.get(text)
    if (hash === undefined) {
      hash = 0x811c9dc5
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
      this.#hashes.set(text, hash)
    }
    return hash
  }
}
