/** A cluster of one process per member whose processes are killed and stopped. Who they are is read from /proc, at once. */

import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesOf } from './processes.ts'
import type { Ledger } from './ledger.ts'

export interface Victim {
  readonly id: string
  readonly pid: number
}

/** For a check that takes seconds itself where the machine is busy. */
const pollMs = 100

export class FaultyCluster {
  private readonly directory: string
  private readonly ledger: Ledger
  private readonly halted = new Map<string, Victim>()
  private readonly lost = new Set<string>()

  constructor(directory: string, ledger: Ledger) {
    this.directory = directory
    this.ledger = ledger
  }

  /** The processes that run now, up or not yet. */
  running(): readonly Victim[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const id = memberOf(Number(name), this.directory)
        return id === undefined ? [] : [{ id, pid: Number(name) }]
      })
  }

  /** It need not come back: what it had is gone. */
  giveUp(id: string): void {
    this.lost.add(id)
  }

  /** SIGKILL. False: it does not run. */
  kill(id: string): boolean {
    return this.signal(id, 'SIGKILL', 'kills') !== undefined
  }

  /** SIGTERM: it ends in order, and is started again. Resolves when the process that it was is gone and another one is there. */
  async restart(id: string, withinMs: number): Promise<void> {
    const before = this.signal(id, 'SIGTERM', 'restarts')
    const untilMs = performance.now() + withinMs
    for (;;) {
      const now = this.running().find((each) => each.id === id)
      if (now !== undefined && now.pid !== before?.pid) return
      if (performance.now() > untilMs) throw new Error(`${id} is not started again after ${withinMs / 1000} s`)
      await sleep(pollMs)
    }
  }

  /** SIGSTOP, until `resume` or `heal`. */
  stop(id: string): boolean {
    const victim = this.signal(id, 'SIGSTOP', 'stops')
    if (victim !== undefined) this.halted.set(id, victim)
    return victim !== undefined
  }

  resume(id: string): void {
    const victim = this.halted.get(id)
    this.halted.delete(id)
    if (victim !== undefined && memberOf(victim.pid, this.directory) === id) send(victim.pid, 'SIGCONT')
  }

  /** Nothing of ours is left behind stopped. */
  heal(): void {
    for (const id of this.halted.keys()) this.resume(id)
  }

  /** Resolves when every process says that it is up, and of each group one leads; with the time that it took. */
  async whole(withinMs: number): Promise<number> {
    const beganMs = performance.now()
    for (;;) {
      const processes = await processesOf(this.directory)
      const down = processes.filter(({ id, state }) => state !== 'up' && !this.lost.has(id)).map(({ id }) => id)
      const led = new Set(processes.filter(({ leader }) => leader === true).map(({ role }) => role))
      const tookMs = performance.now() - beganMs
      if (down.length === 0 && led.size === 2) return tookMs
      if (tookMs > withinMs) {
        const missing = [...down.map((id) => `${id} is down`), ...(led.size < 2 ? [`led: ${[...led].join()}`] : [])]
        throw new Error(`not whole after ${withinMs / 1000} s: ${missing.join(', ')}`)
      }
      await sleep(pollMs)
    }
  }

  private signal(id: string, signal: NodeJS.Signals, counted: 'kills' | 'restarts' | 'stops'): Victim | undefined {
    const victim = this.running().find((each) => each.id === id)
    if (victim === undefined || !send(victim.pid, signal)) return undefined
    this.ledger.add(counted)
    return victim
  }
}

/** False when it has ended just now. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

/** Of a process of the cluster in this directory; undefined of any other. */
function memberOf(pid: number, directory: string): string | undefined {
  let words: readonly string[]
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
  } catch (error) {
    // Gone since the directory was read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
  const at = words.indexOf('--id')
  return at >= 0 && words.includes(`${directory}/cluster.json`) ? words[at + 1] : undefined
}
