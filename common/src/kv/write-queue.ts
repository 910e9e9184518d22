import type { BinaryKey } from './kv.ts'

/** One operation in LevelDB's own form. */
export type LevelOperation =
  | { readonly type: 'put'; readonly key: BinaryKey; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: BinaryKey }

interface Group {
  readonly operations: LevelOperation[]
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A group that has so many operations takes no further batch: it would hold up those behind it. */
const groupOperations = 10_000

/**
 * Keeps the batches of a store in order. Two writes in flight would run on two threads of the pool, and the second may
 * reach LevelDB first; so one is in flight, and the batches that arrive meanwhile go together as the next.
 */
export class WriteQueue {
  readonly #apply: (operations: LevelOperation[]) => Promise<void>
  #waiting: Group[] = []
  #last: Group | undefined
  #running = false

  constructor(apply: (operations: LevelOperation[]) => Promise<void>) {
    this.#apply = apply
  }

  /** Settles as the application of the batch does. */
  add(batch: readonly LevelOperation[]): Promise<void> {
    const group = this.#openGroup()
    for (const operation of batch) group.operations.push(operation)
    if (!this.#running) void this.#run()
    return group.promise
  }

  /** Resolves when everything added before this call was tried. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#last?.promise])
  }

  #openGroup(): Group {
    const last = this.#waiting.at(-1)
    if (last !== undefined && last.operations.length < groupOperations) return last
    const group: Group = { operations: [], ...Promise.withResolvers<void>() }
    this.#waiting.push(group)
    this.#last = group
    return group
  }

  /** Never rejects: each group tells its own callers. */
  async #run(): Promise<void> {
    this.#running = true
    for (let group = this.#waiting.shift(); group !== undefined; group = this.#waiting.shift()) {
      try {
        await this.#apply(group.operations)
        group.resolve()
      } catch (error) {
        group.reject(error)
      }
    }
    this.#running = false
  }
}
