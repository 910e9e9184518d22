import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Cancel, Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { Role } from '../cluster-file/cluster-file.ts'
import { restartAfter } from './restart-policy.ts'

export interface ChildOptions {
  readonly role: Role
  readonly id: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** It is killed when it has not stopped by then. */
  readonly stopDeadlineMs: number
  readonly clock: Clock
  readonly log: Logger
  /** A line for the person at the terminal. */
  readonly say: (line: string) => void
  /** Whether it still belongs to the cluster; asked before it is started again. */
  readonly isWanted: () => Promise<boolean>
}

export type ChildState = 'starting' | 'up' | 'down'

/** Of what it wrote to standard error, kept to say why it died. */
const maxKeptLines = 5
const maxLineChars = 500
const leftOutPauseMs = 1_000

/**
 * One process of the cluster, started again whenever it dies, until `stop`. It has a pipe of ours as standard input, and
 * stops by itself when that ends, so that it never outlives us; and a process group of its own, so that a Ctrl-C at our
 * terminal reaches us alone.
 */
export class Child {
  readonly role: Role
  readonly id: string
  /** When it first said that it is ready; rejects with `Unavailable` when it died before, which ends it. */
  readonly ready: Promise<void>
  private readonly options: ChildOptions
  private readonly firstReady = Promise.withResolvers<void>()
  private process: ChildProcess | undefined
  private ended: Promise<void> = Promise.resolve()
  private stage: ChildState = 'down'
  private wasReady = false
  private readySinceMs: number | undefined
  private deaths = 0
  private cancelRestart: Cancel | undefined
  private isStopping = false
  private isLeftOut = false

  constructor(options: ChildOptions) {
    this.options = options
    this.role = options.role
    this.id = options.id
    this.ready = this.firstReady.promise
    // Whoever starts several looks at each in turn; one that fails meanwhile is not a bug.
    this.ready.catch(() => undefined)
  }

  get state(): ChildState {
    return this.stage
  }

  /** Undefined while it is down. */
  get pid(): number | undefined {
    return this.stage === 'down' ? undefined : this.process?.pid
  }

  start(): void {
    const { command, args, env } = this.options
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    const lastWords: string[] = []
    this.process = child
    this.stage = 'starting'
    this.readySinceMs = undefined
    createInterface({ input: child.stdout }).on('line', (line) => this.hear(line))
    createInterface({ input: child.stderr }).on('line', (line) => this.hearError(line, lastWords))
    // It may be gone before it reads; that it is gone is told by `close`.
    child.stdin.on('error', (error) => this.options.log.debug({ child: this.id, error }, 'standard input is gone'))
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.died(error.message)
        resolve()
      })
      child.once('close', (code, signal) => {
        const words = lastWords.findLast((line) => !line.startsWith('try: '))
        this.died(signal === null ? (words ?? `exit code ${code}`) : causeOf(signal, words))
        resolve()
      })
    })
  }

  /** Resolves when the process is gone: by itself after SIGTERM, or killed after the deadline. Idempotent. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.cancelRestart?.()
    if (this.stage === 'down') return
    this.process?.kill('SIGTERM')
    const cancel = this.options.clock.after(this.options.stopDeadlineMs, () => {
      this.tell('does not stop; it is killed')
      this.process?.kill('SIGKILL')
    })
    await this.ended
    cancel()
  }

  private hear(line: string): void {
    this.options.log.debug({ child: this.id, line: line.slice(0, maxLineChars) }, 'a process says')
    if (this.stage !== 'starting' || !line.includes(' ready ')) return
    this.stage = 'up'
    this.readySinceMs = this.options.clock.monotonicMs()
    if (this.wasReady) this.tell(`is back (pid ${this.process?.pid})`)
    this.wasReady = true
    this.firstReady.resolve()
  }

  private hearError(line: string, lastWords: string[]): void {
    const text = line.slice(0, maxLineChars)
    this.options.log.warn({ child: this.id, line: text }, 'a process complains')
    lastWords.push(text.replace(/^o3: /, ''))
    if (lastWords.length > maxKeptLines) lastWords.shift()
  }

  private died(reason: string): void {
    if (this.stage === 'down') return
    const { clock, log } = this.options
    const servedMs = this.readySinceMs === undefined ? undefined : clock.monotonicMs() - this.readySinceMs
    this.stage = 'down'
    if (this.isStopping) {
      this.firstReady.reject(new StoreError('Closed', `${this.id} was stopped`))
      return
    }
    log.error({ child: this.id, reason, servedMs }, 'a process died')
    if (!this.wasReady) {
      this.firstReady.reject(new StoreError('Unavailable', `${this.id} did not start: ${reason}`))
      return
    }
    const restart = restartAfter({ servedMs, deaths: this.deaths })
    this.deaths = restart.deaths
    this.tell(`died (${reason}); it is started again in ${restart.pauseMs / 1000} s`)
    this.cancelRestart = clock.after(restart.pauseMs, () => void this.startAgain())
  }

  /** One that was taken out of the cluster stays down, and is looked for in the file: it may be taken in again. */
  private async startAgain(): Promise<void> {
    const isWanted = await this.options.isWanted()
    if (this.isStopping) return
    if (isWanted) {
      this.isLeftOut = false
      return this.start()
    }
    if (!this.isLeftOut) this.tell('is no longer in the cluster file; it stays down')
    this.isLeftOut = true
    this.cancelRestart = this.options.clock.after(leftOutPauseMs, () => void this.startAgain())
  }

  private tell(what: string): void {
    this.options.log.info({ child: this.id }, what)
    this.options.say(`${this.id} ${what}`)
  }
}

/** Native code that gives up says why and aborts; other signals come from outside, and have no words. */
function causeOf(signal: NodeJS.Signals, words: string | undefined): string {
  return signal === 'SIGABRT' && words !== undefined ? `signal ${signal}: ${words}` : `signal ${signal}`
}
