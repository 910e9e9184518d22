/** How far a transfer is: a bar on a terminal, else a line now and then. On standard error, beside what is transferred. */

import { SingleBar } from 'cli-progress'
import { bytesText, secondsText } from './quantities.ts'

export interface ProgressOptions {
  readonly label: string
  /** Undefined where the length is not known. */
  readonly totalBytes: number | undefined
  readonly quiet: boolean
}

const lineEveryMs = 5000
const drawEveryMs = 100

export class Progress {
  private readonly options: ProgressOptions
  private readonly beganMs = Date.now()
  private readonly bar: SingleBar | undefined
  private readonly timer: NodeJS.Timeout | undefined
  private moved = 0

  constructor(options: ProgressOptions) {
    this.options = options
    if (options.quiet) return
    if (process.stderr.isTTY === true) {
      const format =
        options.totalBytes === undefined ? '{label}  {done}  {rate}' : '{bar} {percentage}%  {done}  {rate}  {left}'
      this.bar = new SingleBar({ format, barsize: 24, hideCursor: true, clearOnComplete: true, stream: process.stderr })
      this.bar.start(options.totalBytes ?? 1, 0, this.facts())
    }
    this.timer = setInterval(() => this.show(), this.bar === undefined ? lineEveryMs : drawEveryMs)
    this.timer.unref()
  }

  add(bytes: number): void {
    this.moved += bytes
  }

  /** For the last word: bytes, time and rate. */
  get summary(): string {
    const seconds = (Date.now() - this.beganMs) / 1000
    return `${bytesText(this.moved)} in ${seconds.toFixed(1)} s (${this.rate()})`
  }

  /** Also when the transfer failed. Idempotent. */
  stop(): void {
    clearInterval(this.timer)
    this.bar?.stop()
  }

  private show(): void {
    if (this.bar !== undefined) {
      this.bar.update(this.moved, this.facts())
      return
    }
    const { done, rate, left } = this.facts()
    process.stderr.write(`${this.options.label}: ${[done, rate, left].filter((part) => part !== '').join(', ')}\n`)
  }

  private facts() {
    const { label, totalBytes } = this.options
    const perSecond = this.perSecond()
    const done =
      totalBytes === undefined ? bytesText(this.moved) : `${bytesText(this.moved)} of ${bytesText(totalBytes)}`
    const left =
      totalBytes === undefined || perSecond === 0 ? '' : `${secondsText((totalBytes - this.moved) / perSecond)} left`
    return { label, done, rate: this.rate(), left }
  }

  private rate(): string {
    return `${bytesText(this.perSecond())}/s`
  }

  private perSecond(): number {
    const seconds = (Date.now() - this.beganMs) / 1000
    return seconds > 0 ? this.moved / seconds : 0
  }
}
