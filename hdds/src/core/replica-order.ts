/** Which replica a reader asks first. */

/** What the readers of a process have met at one datanode. */
export interface ReplicaStanding {
  /** Smoothed time to the first byte; undefined when it was not read from lately. */
  readonly latencyMs: number | undefined
  /** When `latencyMs` was last measured. */
  readonly measuredMs: number
  /** In a row. */
  readonly failures: number
  /** Until then it is asked after all others. */
  readonly avoidUntilMs: number
}

/** Of a datanode that nobody knows anything of. */
export const unknownStanding: ReplicaStanding = {
  latencyMs: undefined,
  measuredMs: 0,
  failures: 0,
  avoidUntilMs: 0,
}

/** The weight of a new measurement: some ten reads forget a hiccup. */
const newestShare = 0.2
/**
 * A figure older than this says nothing. Who was slow once is asked last, and is measured no more: without an end to it
 * that would be for ever.
 */
const figureAgeMs = 30_000
const firstAvoidMs = 1_000
const maxAvoidMs = 30_000

/** After an answer whose first byte took `latencyMs`. */
export function answered(standing: ReplicaStanding, latencyMs: number, nowMs: number): ReplicaStanding {
  return { latencyMs: smoothed(standing, latencyMs, nowMs), measuredMs: nowMs, failures: 0, avoidUntilMs: 0 }
}

/** It was not waited for any longer than `waitedMs`: another one was faster. */
export function outrun(standing: ReplicaStanding, waitedMs: number, nowMs: number): ReplicaStanding {
  return { ...standing, latencyMs: smoothed(standing, waitedMs, nowMs), measuredMs: nowMs }
}

/** After a failure of the datanode (not of one block in it): it is left alone, twice as long each time, up to 30 s. */
export function failed(standing: ReplicaStanding, nowMs: number): ReplicaStanding {
  const avoidMs = Math.min(maxAvoidMs, firstAvoidMs * 2 ** Math.min(standing.failures, 10))
  return { ...standing, failures: standing.failures + 1, avoidUntilMs: nowMs + avoidMs }
}

/** Whether it has failed so lately that it is not worth waiting for. */
export function isAvoided(standing: ReplicaStanding, nowMs: number): boolean {
  return nowMs < standing.avoidUntilMs
}

/** 0: in the caller's process; 1: in its rack; 2: elsewhere. */
export type ReplicaDistance = 0 | 1 | 2

export interface ReplicaCandidate {
  readonly distance: ReplicaDistance
  readonly standing: ReplicaStanding
}

export interface ReplicaOrder {
  readonly nowMs: number
  /**
   * Equals take turns by it. The number of the block is a good one: readers spread over the replicas, and all readers of one
   * block meet at the same, so that the page caches of three machines hold three times as much.
   */
  readonly turn: number
}

/**
 * The order in which to ask: those that have not failed lately, then near ones, then fast ones. Times within a factor of two
 * are the same: the difference is chance, and whoever is a little faster would get all the readers. One without a figure is
 * as good as the fastest, so that it gets one.
 */
export function orderReplicas<C extends ReplicaCandidate>(
  candidates: readonly C[],
  { nowMs, turn }: ReplicaOrder,
): C[] {
  const count = candidates.length
  const ranked = candidates.map((candidate, index) => ({
    candidate,
    avoided: isAvoided(candidate.standing, nowMs) ? candidate.standing.avoidUntilMs : 0,
    class: latencyClass(candidate.standing, nowMs),
    place: (index + count - (turn % count)) % count,
  }))
  ranked.sort(
    (a, b) =>
      a.avoided - b.avoided || a.candidate.distance - b.candidate.distance || a.class - b.class || a.place - b.place,
  )
  return ranked.map(({ candidate }) => candidate)
}

/** Below this all are equally fast. */
const finestMs = 2

function latencyClass(standing: ReplicaStanding, nowMs: number): number {
  const latencyMs = figureOf(standing, nowMs) ?? 0
  return latencyMs < finestMs ? 0 : 1 + Math.floor(Math.log2(latencyMs / finestMs))
}

function smoothed(standing: ReplicaStanding, latencyMs: number, nowMs: number): number {
  const before = figureOf(standing, nowMs)
  return before === undefined ? latencyMs : before + (latencyMs - before) * newestShare
}

function figureOf({ latencyMs, measuredMs }: ReplicaStanding, nowMs: number): number | undefined {
  return nowMs - measuredMs > figureAgeMs ? undefined : latencyMs
}
