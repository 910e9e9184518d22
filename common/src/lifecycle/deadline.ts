import type { Clock } from '../env/env.ts'
import { StoreError } from '../errors.ts'

/**
 * Settles like `work`, or rejects with `DeadlineExceeded` after `deadlineMs`, whichever is first. The work itself goes
 * on: only its owner can stop it. A rejection that comes after the deadline is dropped, because the caller already
 * has its answer.
 */
export function withinDeadline<T>(clock: Clock, deadlineMs: number, name: string, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(deadlineMs, () => {
      reject(
        new StoreError('DeadlineExceeded', `${name} took longer than ${deadlineMs} ms`, {
          details: { name, deadlineMs },
        }),
      )
    })
    work.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: unknown) => {
        cancel()
        reject(error)
      },
    )
  })
}
