/** Where finished log lines go. */

import { mkdirSync, openSync, write as writeFile, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../env/env.ts'

/** A function is called with each finished line, newline included, synchronously. */
export type LogDestination = 'stdout' | 'stderr' | { readonly path: string } | ((line: string) => void)

export interface Sink {
  write(line: string): void
  /** Resolves when the lines written before are out, or when the destination refused them. */
  flush(): Promise<void>
}

// A line costs 4 µs to make, a system call more: lines gather until there are this many, or for this long.
const batchChars = 4096
const batchMs = 100
/** What waits for a destination that takes nothing (a stopped terminal, a full disk); lines beyond it are dropped. */
const maxWaitingChars = 8 * 1024 * 1024
const retryMs = 50

/** Opening a file that cannot be opened throws the system's error. */
export function openSink(target: LogDestination, clock: Pick<Clock, 'after'>): Sink {
  if (typeof target === 'function') return { write: target, flush: () => Promise.resolve() }
  if (target === 'stdout') return new DescriptorSink(1, clock)
  if (target === 'stderr') return new DescriptorSink(2, clock)
  mkdirSync(dirname(target.path), { recursive: true })
  return new DescriptorSink(openSync(target.path, 'a'), clock)
}

/**
 * Batches, with one write in flight. A destination that fails never stops the process, because a store must go on
 * serving when its log cannot be written: the failure is said on stderr, once per kind, and the lines are tried again
 * when the next one comes. (pino's own destination tries for ever, at exit even synchronously.)
 */
class DescriptorSink implements Sink {
  private readonly descriptor: number
  private readonly clock: Pick<Clock, 'after'>
  private waiting: string[] = []
  private waitingChars = 0
  private unwritten: Buffer = Buffer.alloc(0)
  private writing = false
  private armed = false
  private idle: (() => void)[] = []
  private readonly said = new Set<string>()

  constructor(descriptor: number, clock: Pick<Clock, 'after'>) {
    this.descriptor = descriptor
    this.clock = clock
    process.once('exit', () => this.writeAtExit())
  }

  write(line: string): void {
    if (this.waitingChars + line.length > maxWaitingChars) return this.complain('lines are dropped, too many wait')
    this.waiting.push(line)
    this.waitingChars += line.length
    if (this.waitingChars >= batchChars) this.writeNext()
    else this.arm()
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.idle.push(resolve)
      this.writeNext()
    })
  }

  private arm(): void {
    if (this.armed) return
    this.armed = true
    this.clock.after(batchMs, () => {
      this.armed = false
      this.writeNext()
    })
  }

  private writeNext(): void {
    if (this.writing) return
    if (this.unwritten.length === 0) this.gather()
    if (this.unwritten.length === 0) return this.settle()
    this.writing = true
    writeFile(this.descriptor, this.unwritten, (error, written) => {
      if (error?.code === 'EAGAIN') {
        // A pipe whose reader is slow.
        this.clock.after(retryMs, () => this.written(0))
      } else if (error === null) this.written(written)
      else this.refused(error)
    })
  }

  private written(bytes: number): void {
    this.writing = false
    this.unwritten = this.unwritten.subarray(bytes)
    this.writeNext()
  }

  private refused(error: NodeJS.ErrnoException): void {
    this.writing = false
    this.complain(error.code ?? error.message)
    this.settle()
  }

  private gather(): void {
    if (this.waiting.length === 0) return
    this.unwritten = Buffer.from(this.waiting.join(''))
    this.waiting = []
    this.waitingChars = 0
  }

  private settle(): void {
    const idle = this.idle
    this.idle = []
    for (const resolve of idle) resolve()
  }

  private writeAtExit(): void {
    try {
      while (this.unwritten.length > 0 || this.waiting.length > 0) {
        if (this.unwritten.length === 0) this.gather()
        this.unwritten = this.unwritten.subarray(writeSync(this.descriptor, this.unwritten))
      }
    } catch (error) {
      this.complain(error instanceof Error ? error.message : String(error))
    }
  }

  private complain(reason: string): void {
    if (this.said.has(reason)) return
    this.said.add(reason)
    process.stderr.write(`the log cannot be written: ${reason}\n`)
  }
}
