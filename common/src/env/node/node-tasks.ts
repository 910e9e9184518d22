import type { Task, Tasks } from '../env.ts'
import { startTask, type TaskFailureHandler } from '../shared/running-task.ts'

/** Background work on Node's event loop. */
export class NodeTasks implements Tasks {
  readonly #onFailure: TaskFailureHandler
  #turn: (() => void)[] = []

  constructor(onFailure: TaskFailureHandler = stopTheProcess) {
    this.#onFailure = onFailure
  }

  spawn(name: string, run: (signal: AbortSignal) => Promise<void>): Task {
    return startTask(name, run, this.#onFailure)
  }

  /** One immediate serves all the actions of a turn: a busy service asks for thousands. */
  nextTurn(action: () => void): void {
    if (this.#turn.push(action) === 1) setImmediate(this.#runTurn)
  }

  readonly #runTurn = (): void => {
    const actions = this.#turn
    this.#turn = []
    let started = 0
    try {
      for (const action of actions) {
        started++
        action()
      }
    } finally {
      // Reached early only when an action threw. If somebody keeps the process alive, the others still run.
      for (const action of actions.slice(started)) setImmediate(action)
    }
  }
}

/** A task that fails is a bug. Thrown outside of any promise it reaches `uncaughtException`, whose default is to exit. */
function stopTheProcess(name: string, error: unknown): void {
  setImmediate(() => {
    throw new Error(`the task ${name} failed`, { cause: error })
  })
}
