/**
 * What no log can be cheaper than: group commit and nothing else. Appends and syncs the same bytes in one zeroed file, round
 * and round.
 */

import type { DiskFile, Env } from '@o3/common/env'

export interface FloorOptions {
  readonly path: string
  readonly onDurable: (count: number) => void
  readonly sizeBytes?: number
}

export class FloorLog {
  private readonly file: DiskFile
  private readonly sizeBytes: number
  private readonly onDurable: (count: number) => void
  private waiting: Uint8Array[] = []
  private offset = 0
  private durable = 0
  private isRunning = false

  private constructor(file: DiskFile, { sizeBytes, onDurable }: Required<Omit<FloorOptions, 'path'>>) {
    this.file = file
    this.sizeBytes = sizeBytes
    this.onDurable = onDurable
  }

  static async open(env: Env, { path, onDurable, sizeBytes = 128 * 1024 * 1024 }: FloorOptions): Promise<FloorLog> {
    const file = await env.disk.open(path, 'create')
    const zeros = new Uint8Array(1024 * 1024)
    for (let at = 0; at < sizeBytes; at += zeros.length) await file.write([zeros], at)
    await file.sync()
    return new FloorLog(file, { sizeBytes, onDurable })
  }

  /** `onDurable` is called with how many of all appends are on the disk. */
  append(payload: Uint8Array): void {
    this.waiting.push(payload)
    if (this.isRunning) return
    this.isRunning = true
    queueMicrotask(() => void this.run())
  }

  close(): Promise<void> {
    return this.file.close()
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      const bytes = batch.reduce((sum, piece) => sum + piece.length, 0)
      if (this.offset + bytes > this.sizeBytes) this.offset = 0
      await this.file.write([Buffer.concat(batch, bytes)], this.offset)
      await this.file.sync()
      this.offset += bytes
      this.durable += batch.length
      this.onDurable(this.durable)
      await Promise.resolve()
    }
    this.isRunning = false
  }
}

/** Resolves each of its waiters, in order, when so many are done. */
export class InOrder {
  private readonly waiting: (() => void)[] = []
  private done = 0
  private head = 0

  wait(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** So many of all are done. */
  upTo(count: number): void {
    while (this.done < count) {
      this.done++
      this.waiting[this.head++]?.()
    }
    if (this.head < 4096) return
    this.waiting.splice(0, this.head)
    this.head = 0
  }
}
