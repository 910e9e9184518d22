/** What a piece of work costs its process. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Cost {
  readonly wallMs: number
  /** User and system time of all threads. */
  readonly cpuMs: number
  /**
   * The most CPU time that the event loop's thread took in one go, with nothing else having a turn. Not wall time, which on a
   * busy machine is that of others.
   */
  readonly longestMs: number
}

export async function measured(work: () => Promise<unknown>): Promise<Cost> {
  let longestMs = 0
  let lastMs = threadMs()
  const note = (): void => {
    const nowMs = threadMs()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
  }
  const timer = setInterval(note, 1)
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await work()
  const wallMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(cpu)
  await turn()
  note()
  clearInterval(timer)
  return { wallMs, cpuMs: (user + system) / 1000, longestMs }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Other work of the event loop has its turn, as it has between two messages. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** After a collection of garbage. */
export function collected(): { readonly heapBytes: number; readonly rssBytes: number } {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, rssBytes: rss }
}
