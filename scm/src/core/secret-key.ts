/** Which of SCM's secret keys signs, which are still believed, and when the next one is made. */

import type { SecretKey } from '../api/api.ts'

/** How keys follow one another. Milliseconds. */
export interface KeySchedule {
  /** A key signs for so long, and is believed for twice as long after that. */
  readonly secretKeyPeriodMs: number
  /** It is made so long before it signs, so that whoever verifies has it by then. Shorter than the period. */
  readonly secretKeyLeadMs: number
}

/** A key without its secret. */
export type KeyTimes = Pick<SecretKey, 'id' | 'activeFromMs' | 'expiresMs'>

const periodsBelieved = 3
/** Who asks so often within the lead has each key before it signs, also when some of the asking fails. */
const refreshesPerLead = 4

/**
 * The key that signs now: the newest that may. Where none may yet, the oldest: the clock here is behind the one by which the
 * first key was made. Undefined: there is none.
 */
export function signingKey<Key extends KeyTimes>(keys: readonly Key[], nowMs: number): Key | undefined {
  const [first, ...later] = keys.filter(({ expiresMs }) => expiresMs > nowMs).toSorted((a, b) => a.id - b.id)
  return later.findLast(({ activeFromMs }) => activeFromMs <= nowMs) ?? first
}

/** The key that has to be made now, if any. The first one signs at once: nobody has an older one to go on with. */
export function dueKey(keys: readonly KeyTimes[], nowMs: number, schedule: KeySchedule): KeyTimes | undefined {
  const { secretKeyPeriodMs: periodMs, secretKeyLeadMs: leadMs } = schedule
  const newest = newestOf(keys)
  if (newest === undefined) return timesOf(1, nowMs, schedule)
  if (nowMs < newest.activeFromMs + periodMs - leadMs) return undefined
  return followUp(newest, Math.max(newest.activeFromMs + periodMs, nowMs + leadMs), nowMs, schedule)
}

/** The key with which an administrator ends the period under way: it signs after the lead. */
export function earlyKey(keys: readonly KeyTimes[], nowMs: number, schedule: KeySchedule): KeyTimes {
  const newest = newestOf(keys)
  if (newest === undefined) return timesOf(1, nowMs, schedule)
  return followUp(newest, nowMs + schedule.secretKeyLeadMs, nowMs, schedule)
}

/** Nobody believes what they signed any more. */
export function expiredKeys<Key extends KeyTimes>(keys: readonly Key[], nowMs: number): readonly Key[] {
  return keys.filter(({ expiresMs }) => expiresMs <= nowMs)
}

/** How often those who have the keys ask for them again. */
export function refreshMsOf({ secretKeyLeadMs }: KeySchedule): number {
  return Math.max(1, Math.floor(secretKeyLeadMs / refreshesPerLead))
}

function newestOf(keys: readonly KeyTimes[]): KeyTimes | undefined {
  return keys.reduce<KeyTimes | undefined>(
    (best, key) => (best === undefined || key.id > best.id ? key : best),
    undefined,
  )
}

/** After a long silence the newest may be over before the next one would sign: then that one signs at once. */
function followUp(newest: KeyTimes, activeFromMs: number, nowMs: number, schedule: KeySchedule): KeyTimes {
  return timesOf(newest.id + 1, newest.expiresMs <= activeFromMs ? nowMs : activeFromMs, schedule)
}

function timesOf(id: number, activeFromMs: number, { secretKeyPeriodMs }: KeySchedule): KeyTimes {
  return { id, activeFromMs, expiresMs: activeFromMs + periodsBelieved * secretKeyPeriodMs }
}
