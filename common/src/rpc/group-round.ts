/** What one call of a group's client remembers from try to try. */

import type { Clock } from '../env/env.ts'
import type { StoreError, StoreErrorCode } from '../errors.ts'
import { isAnswer } from './answered-errors.ts'
import type { RosterMember } from './roster.ts'

export interface RoundOptions {
  readonly deadlineMs: number
  readonly signal?: AbortSignal
}

const firstPauseMs = 10
const maxPauseMs = 250

export class Round {
  /** In this round. Each is asked once, so hints that lead in a circle end it. */
  readonly asked = new Set<RosterMember>()
  /** Who, in this round, let us not even in. */
  readonly misfits = new Map<RosterMember, StoreError>()
  readonly signal: AbortSignal | undefined
  readonly deadlineMs: number
  /** Whom the last answer named as leader. */
  hint: RosterMember | undefined
  /** What a member said that another may say better. */
  refusal: StoreError | undefined
  /** One try may have been carried out. */
  mayHaveHappened = false
  tries = 0
  /** How many times longer than the first the next try may take. */
  patience = 1
  /** Set while this call is the one that looks for the leader. */
  search: PromiseWithResolvers<void> | undefined
  private readonly clock: Clock
  private readonly endMs: number
  private nextPauseMs = firstPauseMs

  constructor(clock: Clock, { deadlineMs, signal }: RoundOptions) {
    this.clock = clock
    this.signal = signal
    this.deadlineMs = deadlineMs
    this.endMs = clock.monotonicMs() + deadlineMs
  }

  get leftMs(): number {
    return this.endMs - this.clock.monotonicMs()
  }

  /** Waits before the next round: longer each time, and not all callers alike. */
  async pause(fraction: number): Promise<void> {
    const pauseMs = Math.min(this.nextPauseMs * (0.5 + fraction / 2), Math.max(this.leftMs, 0))
    this.nextPauseMs = Math.min(this.nextPauseMs * 2, maxPauseMs)
    await this.clock.sleep(pauseMs, this.signal)
    this.asked.clear()
    this.misfits.clear()
  }

  /** Until it settles or this call's time is over. Rejects with the reason of the signal. */
  async upTo(settled: Promise<void>): Promise<void> {
    const stop = new AbortController()
    const { signal } = this
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const asleep = this.clock.sleep(Math.max(this.leftMs, 0), both).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error
    })
    await Promise.race([settled, asleep]).finally(() => stop.abort())
  }
}

/**
 * - `answer`: the service's word, or our own refusal to send it;
 * - `refused-here`: nothing happened there, and it is the answer unless another member has a better one;
 * - `not-leader`: nothing happened there, perhaps elsewhere it will;
 * - `not-sent`: nothing happened;
 * - `misfit`: nothing happened: the two ends do not know each other;
 * - `unknown`: it may have been carried out.
 */
export type Meaning = 'answer' | 'refused-here' | 'not-leader' | 'not-sent' | 'misfit' | 'unknown'

export function meaningOf(error: StoreError): Meaning {
  return isAnswer(error) ? (meaningsOfAnswers[error.code] ?? 'answer') : (meaningsOnWire[error.code] ?? 'misfit')
}

const meaningsOfAnswers: Partial<Record<StoreErrorCode, Meaning>> = {
  NotLeader: 'not-leader',
  // Its disk, or what it depends on, is not there: another member may lead by now.
  Unavailable: 'refused-here',
  VolumeFailed: 'refused-here',
  OutcomeUnknown: 'unknown',
  DeadlineExceeded: 'unknown',
  // The server stopped while it was at it.
  Closed: 'unknown',
}

const meaningsOnWire: Partial<Record<StoreErrorCode, Meaning>> = {
  OutcomeUnknown: 'unknown',
  DeadlineExceeded: 'unknown',
  Busy: 'answer',
  TooLarge: 'answer',
  Aborted: 'answer',
  Unavailable: 'not-sent',
  // During the handshake: a server that stops, or has too many connections.
  Closed: 'not-sent',
}
