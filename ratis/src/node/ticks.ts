import type { Cancel, Clock } from '@o3/common/env'

interface Beat {
  readonly members: Set<() => void>
  cancel: Cancel
}

/**
 * Calls all who want to be called as often in the same turn of the loop. So the heartbeats of all groups of a process leave as
 * one batch to each peer, and are answered as one: by timers of their own they would be as many as there are groups.
 */
export class Ticks {
  private readonly clock: Clock
  private readonly beats = new Map<number, Beat>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Calls `tick` again and again, with `intervalMs` at least between two calls; the first may come sooner. */
  every(intervalMs: number, tick: () => void): Cancel {
    const beat = this.beats.get(intervalMs) ?? this.begin(intervalMs)
    // A function of its own, so that two may want the same one.
    const member = (): void => tick()
    beat.members.add(member)
    return () => {
      if (!beat.members.delete(member) || beat.members.size > 0) return
      beat.cancel()
      this.beats.delete(intervalMs)
    }
  }

  private begin(intervalMs: number): Beat {
    const beat: Beat = { members: new Set(), cancel: () => {} }
    this.beats.set(intervalMs, beat)
    this.arm(beat, intervalMs)
    return beat
  }

  private arm(beat: Beat, intervalMs: number): void {
    beat.cancel = this.clock.after(intervalMs, () => {
      this.arm(beat, intervalMs)
      for (const member of beat.members) member()
    })
  }
}
