/**
 * Which errors the server said, and which are the wire's: an `Unavailable` of the wire never reached the service, and
 * repeating it elsewhere is safe; one that the service said is its answer.
 */

import type { StoreError } from '../errors.ts'

const answered = new WeakSet<StoreError>()

/** Marks an error as the server's answer to a call. */
export function asAnswer(error: StoreError): StoreError {
  answered.add(error)
  return error
}

/** Whether the server said it in answer to a call. */
export function isAnswer(error: StoreError): boolean {
  return answered.has(error)
}
