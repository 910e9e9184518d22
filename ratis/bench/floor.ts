import type { DiskFile, Env } from '@o3/common/env'

/** Group commit and nothing else: appends and syncs the same bytes in one zeroed file, round and round. */
export class FloorLog {
  private readonly file: DiskFile
  private readonly sizeBytes: number
  private waiting: { readonly payload: Uint8Array; readonly resolve: () => void }[] = []
  private offset = 0
  private isRunning = false

  private constructor(file: DiskFile, sizeBytes: number) {
    this.file = file
    this.sizeBytes = sizeBytes
  }

  static async open(env: Env, path: string, sizeBytes = 128 * 1024 * 1024): Promise<FloorLog> {
    const file = await env.disk.open(path, 'create')
    const zeros = new Uint8Array(1024 * 1024)
    for (let at = 0; at < sizeBytes; at += zeros.length) await file.write([zeros], at)
    await file.sync()
    return new FloorLog(file, sizeBytes)
  }

  append(payload: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ payload, resolve })
      if (this.isRunning) return
      this.isRunning = true
      queueMicrotask(() => void this.run())
    })
  }

  close(): Promise<void> {
    return this.file.close()
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      const pieces = batch.map(({ payload }) => payload)
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
      if (this.offset + bytes > this.sizeBytes) this.offset = 0
      await this.file.write(pieces, this.offset)
      await this.file.sync()
      this.offset += bytes
      for (const { resolve } of batch) resolve()
      await Promise.resolve()
    }
    this.isRunning = false
  }
}
