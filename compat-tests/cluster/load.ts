/** Clients that write new keys and read old ones, and never forgive: each answer but the right one is noted. */

import { createHash } from 'node:crypto'
import { get, put } from '../harness/requests.ts'
import type { Server } from '../harness/server.ts'

export interface LoadOptions {
  readonly bucket: string
  /** Of the bytes. */
  readonly seed: string
}

/** With their names, in one datanode message, in several chunks. */
const sizes = [100, 4000, 20_000, 20_000, 300_000, 1_500_000]

/** A write that is done twice, because the answer to the first was lost, would be refused. */
const onlyNew = [['if-none-match', '*']] as const

interface Write {
  readonly beganMs: number
  readonly endedMs: number
}

export class Load {
  readonly failures: string[] = []
  requests = 0
  slowestMs = 0
  private readonly server: Server
  private readonly options: LoadOptions
  private readonly written: number[] = []
  private readonly writes: Write[] = []
  private next = 0
  private isStopped = false
  private running: Promise<unknown> = Promise.resolve()

  constructor(server: Server, options: LoadOptions) {
    this.server = server
    this.options = options
  }

  start(workers: number): void {
    this.running = Promise.all(Array.from({ length: workers }, () => this.work()))
  }

  /** Resolves when the last request is answered. */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.running
  }

  /** From the loss to the end of the first write that began after it. */
  gapAfter(lostMs: number): number {
    const after = this.writes.filter(({ beganMs }) => beganMs >= lostMs).map(({ endedMs }) => endedMs)
    return Math.min(...after) - lostMs
  }

  /** What does not come back as it was written. */
  async readBack(): Promise<readonly string[]> {
    const left = [...this.written]
    const wrong: string[] = []
    const reader = async (): Promise<void> => {
      for (let number = left.pop(); number !== undefined; number = left.pop()) {
        const problem = await this.read(number)
        if (problem !== undefined) wrong.push(problem)
      }
    }
    await Promise.all(Array.from({ length: 8 }, reader))
    return wrong
  }

  private async work(): Promise<void> {
    while (!this.isStopped) {
      const number = this.next++
      const beganMs = performance.now()
      const problem = await this.answered(() => this.write(number))
      const endedMs = performance.now()
      this.slowestMs = Math.max(this.slowestMs, endedMs - beganMs)
      if (problem !== undefined) this.failures.push(problem)
      else {
        this.written.push(number)
        this.writes.push({ beganMs, endedMs })
      }
      const other = this.written[Math.floor(Math.random() * this.written.length)]
      const misread = other === undefined ? undefined : await this.answered(() => this.read(other))
      if (misread !== undefined) this.failures.push(misread)
      this.slowestMs = Math.max(this.slowestMs, performance.now() - endedMs)
    }
  }

  private async answered(ask: () => Promise<string | undefined>): Promise<string | undefined> {
    this.requests++
    try {
      return await ask()
    } catch (error) {
      return String(error)
    }
  }

  private async write(number: number): Promise<string | undefined> {
    const { status, body } = await put(this.server, this.target(number), this.bytes(number), onlyNew)
    return status === 200 ? undefined : `PUT ${number}: ${status} ${body.toString().slice(0, 300)}`
  }

  private async read(number: number): Promise<string | undefined> {
    const { status, body } = await get(this.server, this.target(number))
    if (status !== 200) return `GET ${number}: ${status} ${body.toString().slice(0, 300)}`
    return this.bytes(number).equals(body) ? undefined : `GET ${number}: other bytes than were written`
  }

  private target(number: number): string {
    return `/${this.options.bucket}/${number % 7}/key-${number}`
  }

  private bytes(number: number): Buffer {
    const size = sizes[number % sizes.length] ?? 0
    const block = createHash('sha512').update(`${this.options.seed} ${number}`).digest()
    return Buffer.alloc(size, block)
  }
}
