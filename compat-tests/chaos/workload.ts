/**
 * What the clients do: they write, overwrite, delete, read, list and write on conditions in a small key space, where they
 * get in each other's way, and write and read in one that grows.
 */

import type { ConditionalKeyOutput } from '@o3/ratis/testing'
import type { Contents } from './contents.ts'
import type { Dice } from './dice.ts'
import type { RecordedKeys } from './recorded-keys.ts'

export interface WorkloadOptions {
  readonly keys: RecordedKeys
  readonly contents: Contents
  readonly dice: Dice
}

const keysOfGeneration = 6
/**
 * The small key space moves on after so many requests: the history of a key must stay short enough to be searched, and the
 * requests of a key of which nothing is known few.
 */
const requestsOfGeneration = 180

export class Workload {
  private readonly options: WorkloadOptions
  private readonly large: string[] = []
  private readonly touched = new Set<string>()
  private requests = 0
  private isOver = false
  private running: Promise<unknown> = Promise.resolve()

  constructor(options: WorkloadOptions) {
    this.options = options
  }

  start(workers: number): void {
    this.running = Promise.all(Array.from({ length: workers }, (_, id) => this.work(`c${id}`)))
  }

  /** Resolves when the last request is answered. */
  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  /** Every key that was ever written to, with what is there now: its ETag, or `null`. */
  async readBack(): Promise<ReadonlyMap<string, ConditionalKeyOutput | undefined>> {
    const left = [...this.touched]
    const found = new Map<string, ConditionalKeyOutput | undefined>()
    const reader = async (who: string): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        found.set(key, await this.options.keys.get(who, key))
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, id) => reader(`r${id}`)))
    return found
  }

  private async work(who: string): Promise<void> {
    const { dice } = this.options
    while (!this.isOver) {
      if (dice.chance(0.7)) await this.small(who)
      else await this.grow(who)
    }
  }

  private async small(who: string): Promise<void> {
    const { keys, contents, dice } = this.options
    const generation = Math.floor(this.requests++ / requestsOfGeneration)
    const names = Array.from({ length: keysOfGeneration }, (_, at) => `small/${generation}/key-${at}`)
    const key = dice.pick(names) ?? ''
    const roll = dice.fraction()
    // A key that is only read is none that was lost.
    if (roll < 0.75) this.touched.add(key)
    if (roll < 0.3) await keys.put(who, key, contents.make())
    else if (roll < 0.4) await keys.remove(who, key)
    else if (roll < 0.52) await keys.put(who, key, contents.make(), { kind: 'absent' })
    else if (roll < 0.7) await this.replace(who, key)
    else if (roll < 0.93) await keys.get(who, key)
    else await keys.list(who, `small/${generation}/`, names)
  }

  /** Reads, and writes if nobody else has meanwhile. */
  private async replace(who: string, key: string): Promise<void> {
    const { keys, contents } = this.options
    const told = await keys.get(who, key)
    if (typeof told !== 'object' || told.etag === null) return
    await keys.put(who, key, contents.make(), { kind: 'etag', etag: told.etag })
  }

  private async grow(who: string): Promise<void> {
    const { keys, contents, dice } = this.options
    const old = dice.pick(this.large)
    const roll = dice.fraction()
    if (old !== undefined && roll < 0.4) await keys.get(who, old)
    else if (old !== undefined && roll < 0.45) await keys.remove(who, old)
    else {
      const made = contents.make()
      const key = `large/${made.content.seed % 7}/${made.content.seed % 3 === 0 ? 'deep/er/' : ''}${made.content.seed}`
      this.touched.add(key)
      if ((await keys.put(who, key, made)) === 'ok') this.large.push(key)
    }
  }
}
