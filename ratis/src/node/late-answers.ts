import type { Cancel, Clock } from '@o3/common/env'

/** An answer waits at most so long for others. */
const longestWaitMs = 5

/**
 * Answers to batches, several at a time. An answer only gives the sender its room back, and on a busy link each costs both
 * sides a trip to the socket of its own, as much as a message: so a sender's answers wait until half of what it may have
 * under way is there, or for a moment. The other half keeps it going meanwhile.
 */
export class LateAnswers {
  private readonly clock: Clock
  /** So many of one sender go out together. */
  private readonly together: number
  private readonly waiting = new Map<string, (() => void)[]>()
  private cancelTimer: Cancel | undefined

  constructor(clock: Clock, maxCalls: number) {
    this.clock = clock
    this.together = Math.max(1, Math.floor(maxCalls / 2))
  }

  /** Resolves when the answer to a batch of this sender is to go out. */
  enter(sender: string): Promise<void> | undefined {
    const answers = this.waiting.get(sender) ?? []
    if (answers.length + 1 >= this.together) return this.release(sender)
    this.waiting.set(sender, answers)
    this.cancelTimer ??= this.clock.after(longestWaitMs, () => this.releaseAll())
    return new Promise((resolve) => answers.push(resolve))
  }

  /** What waits for this sender goes out now. */
  release(sender: string): undefined {
    const answers = this.waiting.get(sender)
    if (answers === undefined) return
    this.waiting.delete(sender)
    for (const resolve of answers) resolve()
  }

  releaseAll(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    for (const sender of this.waiting.keys()) this.release(sender)
  }
}
