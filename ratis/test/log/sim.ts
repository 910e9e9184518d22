import type { Env } from '@o3/common/env'
import { Simulation, type SimNode } from '@o3/common/env/sim'
import { StoreError, type ErrorDetails, type StoreErrorCode } from '@o3/common/errors'
import { openLog, type LogEntry, type LogOptions, type SegmentedLog } from '../../src/log/segmented-log.ts'
import { smallLog } from './log-trial.ts'

/** A machine with one directory for a log, for tests that do one thing. */
export interface Bench {
  readonly simulation: Simulation
  readonly node: SimNode
  readonly env: Env
  /** Opens the log; small segments unless told otherwise. */
  open(options?: LogOptions): Promise<SegmentedLog>
  /** The same disk under a new process. */
  restart(how?: 'kill' | 'crash'): Promise<SegmentedLog>
}

/** Runs `script` on a new machine in virtual time. */
export function onMachine(script: (bench: Bench) => Promise<void>, seed: number | string = 1): Promise<void> {
  const simulation = new Simulation({ seed })
  const node = simulation.node('one')
  node.boot()
  const open = (options?: LogOptions): Promise<SegmentedLog> =>
    openLog(node.process, 'log', { ...smallLog, ...options })
  const bench: Bench = {
    simulation,
    node,
    get env() {
      return node.process
    },
    open,
    restart(how = 'kill') {
      node[how]()
      node.boot()
      return open()
    },
  }
  return simulation.run(() => script(bench))
}

/** Appends one entry for each payload and waits for all. */
export async function appendAll(log: SegmentedLog, payloads: readonly Uint8Array[], term = 1): Promise<void> {
  await Promise.all(payloads.map((payload) => append(log, payload, term)))
}

export function append(log: SegmentedLog, payload: Uint8Array, term = 1): Promise<void> {
  return new Promise((resolve, reject) => {
    log.append([{ index: log.lastIndex + 1, term, payload }], (error) =>
      error === undefined ? resolve() : reject(error),
    )
  })
}

export function truncateFrom(log: SegmentedLog, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    log.truncateFrom(index, (error) => (error === undefined ? resolve() : reject(error)))
  })
}

/** What is refused at the door throws this. */
export function refusal(act: () => void): string {
  try {
    act()
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
  return 'accepted'
}

export async function readAll(log: SegmentedLog, from = log.firstIndex): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = []
  const reader = log.read(from)
  for (;;) {
    const some = await reader.next(log.durableIndex, 5000)
    if (some.length === 0) break
    entries.push(...some)
  }
  await reader.close()
  return entries
}

export const text = (value: string): Uint8Array => Buffer.from(value)
export const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)

/** What the promise rejects with. */
export async function failure(
  work: Promise<unknown>,
): Promise<{ readonly code: StoreErrorCode; readonly message: string; readonly details: ErrorDetails }> {
  try {
    await work
  } catch (error) {
    if (error instanceof StoreError) return { code: error.code, message: error.message, details: error.details }
    throw error
  }
  throw new Error('it did not fail')
}
