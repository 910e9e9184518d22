/** Turns that are asked of the host together. */
const turnsAtOnce = 64

/**
 * Turns of the host's loop. Node runs all promise reactions and ticks between two immediates, also of one phase of its loop:
 * many are set at once, for a whole round of the loop, with its look at sockets and timers, costs several times what a turn
 * does. A turn that nobody takes does nothing.
 */
export class HostTurns {
  #left = 0
  #next: (() => void) | undefined

  /** Resolves when all promise reactions and ticks have run that are due. One waits at a time. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#next = resolve
      if (this.#left > 0) return
      this.#left = turnsAtOnce
      for (let turn = 0; turn < turnsAtOnce; turn++) setImmediate(this.#turn)
    })
  }

  readonly #turn = (): void => {
    this.#left--
    const next = this.#next
    this.#next = undefined
    next?.()
  }
}
