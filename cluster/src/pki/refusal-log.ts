import type { Clock } from '@o3/common/env'
import type { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'

const windowMs = 60_000
const maxLines = 30

/** Notes refused connections; whoever knocks all day must not fill the disk. */
export class RefusalLog {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #log: Logger
  #sinceMs = -Infinity
  #refused = 0

  constructor(clock: Pick<Clock, 'monotonicMs'>, log: Logger) {
    this.#clock = clock
    this.#log = log
  }

  /** Thirty lines a minute; how many more there were is in the first line after. */
  note(remote: string, error: StoreError): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#sinceMs >= windowMs) {
      const silentlyRefused = Math.max(0, this.#refused - maxLines)
      if (silentlyRefused > 0) this.#log.warn({ silentlyRefused }, 'more connections were refused')
      this.#sinceMs = nowMs
      this.#refused = 0
    }
    this.#refused++
    if (this.#refused <= maxLines) this.#log.warn({ remote, error }, 'connection refused')
  }
}
