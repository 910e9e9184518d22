import { StoreError } from '../../errors.ts'
import type { Task } from '../env.ts'

export type TaskFailureHandler = (name: string, error: unknown) => void

/**
 * Starts `run` at once. Cancelling aborts its signal with one reason; a rejection with that reason is a normal end, any
 * other goes to `onFailure`.
 */
export function startTask(
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  onFailure: TaskFailureHandler,
): Task {
  const controller = new AbortController()
  // Made when it is needed: an error takes its stack along, and tasks are begun by the thousand.
  let reason: StoreError | undefined
  return {
    name,
    done: settle(),
    cancel: () => {
      reason ??= new StoreError('Aborted', `the task ${name} was cancelled`)
      controller.abort(reason)
    },
  }

  async function settle(): Promise<void> {
    try {
      await run(controller.signal)
    } catch (error) {
      if (reason === undefined || error !== reason) onFailure(name, error)
    }
  }
}
