/**
 * The log against its floor: a loop that only appends the same bytes to one zeroed file with group commit. Each round is 64
 * waiters, each of which appends 64 entries one after the other. The log pays for checksums, for its index, and for
 * zeroing the segments to come, which the floor had done before it started.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { afterAll, bench, describe } from 'vitest'
import type { DiskFile } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { openLog } from './segmented-log.ts'

const waiters = 64
const entriesEach = 64
const payload = new Uint8Array(4096).fill(7)
const env = nodeEnv()
// Beside the sources: the temporary directory may not be on a disk.
const directory = await mkdtemp('.bench-')
afterAll(() => rm(directory, { recursive: true }))

async function round(append: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: waiters }, async () => {
      for (let i = 0; i < entriesEach; i++) await append()
    }),
  )
}

/** Group commit and nothing else. */
class BareLog {
  private readonly file: DiskFile
  private readonly sizeBytes: number
  private waiting: (() => void)[] = []
  private offset = 0
  private running = false

  constructor(file: DiskFile, sizeBytes: number) {
    this.file = file
    this.sizeBytes = sizeBytes
  }

  append(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      if (this.running) return
      this.running = true
      queueMicrotask(() => void this.run())
    })
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      const bytes = batch.length * payload.length
      if (this.offset + bytes > this.sizeBytes) this.offset = 0
      await this.file.write(
        batch.map(() => payload),
        this.offset,
      )
      await this.file.sync()
      this.offset += bytes
      for (const resolve of batch) resolve()
      await Promise.resolve()
    }
    this.running = false
  }
}

async function zeroedFile(sizeBytes: number): Promise<DiskFile> {
  const file = await env.disk.open(`${directory}/bare`, 'create')
  const zeros = new Uint8Array(1024 * 1024)
  for (let at = 0; at < sizeBytes; at += zeros.length) await file.write([zeros], at)
  await file.sync()
  return file
}

const bareBytes = 128 * 1024 * 1024
const bare = new BareLog(await zeroedFile(bareBytes), bareBytes)
const log = await openLog(env, `${directory}/log`)

describe(`${waiters} waiters, ${entriesEach} entries of 4 KiB each`, () => {
  bench('append and fdatasync, nothing else', () => round(() => bare.append()), { time: 3000 })

  bench(
    'the log',
    async () => {
      await round(
        () =>
          new Promise((resolve, reject) => {
            log.append([{ index: log.lastIndex + 1, term: 1, payload }], (error) =>
              error === undefined ? resolve() : reject(error),
            )
          }),
      )
      await log.truncateBefore(log.durableIndex + 1)
    },
    { time: 3000 },
  )
})
