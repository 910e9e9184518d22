/**
 * Work that SCM has asked for and that takes its time: copies, encodings, reconstructions. Each is known by the id that SCM
 * gave it, and is begun once, however often the command comes. Its state goes with every heartbeat; how it ended is told
 * until a leader has answered, and is remembered for a while after that, so that a late command does not begin it again but
 * is told once more.
 */

import { StoreError } from '@o3/common/errors'
import type { Env, Task } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { EncodingReport, TaskReport } from '@o3/scm/api'

export interface TaskRegistryOptions {
  readonly env: Pick<Env, 'tasks'>
  readonly log: Logger
  /** At a time; the others wait for their turn, in the order of their commands. */
  readonly maxRunning: number
}

export type TaskWork = (options: {
  readonly signal: AbortSignal
  readonly progress: (doneBytes: number, totalBytes: number) => void
  /** For an encoding, before it resolves: what became of it. */
  readonly encoded: (encoding: EncodingReport) => void
}) => Promise<void>

interface Entry {
  readonly work: TaskWork
  readonly abort: AbortController
  report: TaskReport
  /** A leader has answered to how it ended. */
  isAcknowledged: boolean
  running: Task | undefined
}

/** Beyond it commands are not taken: SCM sends them again. */
const maxKnown = 1_000
/** Messages are for a person; SCM keeps what it is told in memory. */
const maxMessageLength = 300

export class TaskRegistry {
  private readonly options: TaskRegistryOptions
  private readonly entries = new Map<string, Entry>()
  private running = 0
  private isStopped = false

  constructor(options: TaskRegistryOptions) {
    this.options = options
  }

  /** Begins the task, or puts it in the queue, unless it is known. One that has ended is reported once more. */
  begin(task: string, work: TaskWork): void {
    const known = this.entries.get(task)
    if (known !== undefined) known.isAcknowledged = false
    if (known !== undefined || this.isStopped || !this.hasRoom()) return
    const report: TaskReport = { task, state: 'running', doneBytes: 0, totalBytes: 0 }
    this.entries.set(task, { work, report, abort: new AbortController(), isAcknowledged: false, running: undefined })
    this.startWaiting()
  }

  /** Those under way or waiting, and those whose end no leader has acknowledged. */
  reports(): readonly TaskReport[] {
    const reports: TaskReport[] = []
    for (const { report, isAcknowledged } of this.entries.values()) if (!isAcknowledged) reports.push(report)
    return reports
  }

  /** A leader has answered a heartbeat with these reports. */
  acknowledged(reports: readonly TaskReport[]): void {
    for (const report of reports) {
      const entry = this.entries.get(report.task)
      if (entry !== undefined && report.state !== 'running' && entry.report === report) entry.isAcknowledged = true
    }
  }

  /** No task begins any more; those under way end, and nothing of them is reported. Idempotent. */
  async stop(): Promise<void> {
    this.isStopped = true
    const running: Promise<void>[] = []
    for (const entry of this.entries.values()) {
      entry.abort.abort(new StoreError('Closed', 'the datanode is closing'))
      if (entry.running !== undefined) running.push(entry.running.done)
    }
    await Promise.all(running)
  }

  private hasRoom(): boolean {
    if (this.entries.size < maxKnown) return true
    // The one that ended longest ago.
    for (const [task, { isAcknowledged, report }] of this.entries) {
      if (!isAcknowledged || report.state === 'running') continue
      this.entries.delete(task)
      return true
    }
    return false
  }

  private startWaiting(): void {
    for (const entry of this.entries.values()) {
      if (this.running >= this.options.maxRunning || this.isStopped) return
      if (entry.running !== undefined || entry.report.state !== 'running') continue
      this.running++
      entry.running = this.options.env.tasks.spawn(`hdds.task ${entry.report.task}`, () => this.run(entry))
    }
  }

  private async run(entry: Entry): Promise<void> {
    const { log } = this.options
    const { task } = entry.report
    const progress = (doneBytes: number, totalBytes: number): void => {
      if (entry.report.state === 'running') entry.report = { task, state: 'running', doneBytes, totalBytes }
    }
    try {
      let encoding: Pick<TaskReport, 'encoding'> = {}
      const encoded = (known: EncodingReport): void => {
        encoding = { encoding: known }
      }
      await entry.work({ signal: entry.abort.signal, progress, encoded })
      entry.report = { ...entry.report, ...encoding, state: 'done' }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (!this.isStopped) log.warn({ task, error }, 'a task of SCM has failed')
      entry.report = { ...entry.report, state: 'failed', message: error.message.slice(0, maxMessageLength) }
    } finally {
      this.running--
      // Last known is last forgotten.
      this.entries.delete(task)
      this.entries.set(task, entry)
      this.startWaiting()
    }
  }
}
