/** Bytes of blocks that are not durable yet, kept so that they can be written to another pipeline. */

export interface ReplayMemoryOptions {
  /** For all bodies together. */
  readonly maxBytes: number
  /** The unit in which it is given out. */
  readonly sliceBytes: number
}

/** Slices that nobody uses and that are kept for the next. */
const maxIdle = 16

/** Bounded: who comes when it is used up keeps nothing, and is told so by its own failure, if it comes. */
export class ReplayMemory {
  readonly sliceBytes: number
  private readonly maxSlices: number
  private readonly idle: Uint8Array[] = []
  private used = 0

  constructor({ maxBytes, sliceBytes }: ReplayMemoryOptions) {
    this.sliceBytes = sliceBytes
    this.maxSlices = Math.floor(maxBytes / sliceBytes)
  }

  get usedBytes(): number {
    return this.used * this.sliceBytes
  }

  /** Undefined when there is none left. To be given back. */
  take(): Uint8Array | undefined {
    if (this.used >= this.maxSlices) return undefined
    this.used++
    return this.idle.pop() ?? new Uint8Array(this.sliceBytes)
  }

  giveBack(slice: Uint8Array): void {
    this.used--
    if (this.idle.length < maxIdle) this.idle.push(slice)
  }
}

/** The bytes of one block from its beginning; all of them, or none. */
export class KeptBytes {
  private readonly memory: ReplayMemory | undefined
  private readonly slices: Uint8Array[] = []
  private lengthBytes = 0
  private state: 'whole' | 'given-up' = 'whole'

  /** Without memory it keeps nothing. */
  constructor(memory: ReplayMemory | undefined) {
    this.memory = memory
  }

  /** Whether nothing that was added is missing. */
  get isWhole(): boolean {
    return this.state === 'whole'
  }

  /** What was added, in order. Valid until it is released. */
  get pieces(): readonly Uint8Array[] {
    const { slices, lengthBytes } = this
    const sliceBytes = this.memory?.sliceBytes ?? 1
    return slices.map((slice, index) => slice.subarray(0, Math.min(sliceBytes, lengthBytes - index * sliceBytes)))
  }

  /** Copies them. Where there is no memory for it, all that was kept is let go: a part of a block is of no use. */
  add(bytes: Uint8Array): void {
    const { memory } = this
    if (!this.isWhole) return
    if (memory === undefined) {
      this.release()
      return
    }
    for (let at = 0; at < bytes.length;) {
      const offset = this.lengthBytes % memory.sliceBytes
      const slice = offset === 0 ? memory.take() : this.slices.at(-1)
      if (slice === undefined) {
        this.release()
        return
      }
      if (offset === 0) this.slices.push(slice)
      const count = Math.min(bytes.length - at, memory.sliceBytes - offset)
      slice.set(bytes.subarray(at, at + count), offset)
      this.lengthBytes += count
      at += count
    }
  }

  /** The block is durable, or given up. Idempotent. */
  release(): void {
    this.state = 'given-up'
    for (const slice of this.slices) this.memory?.giveBack(slice)
    this.slices.length = 0
    this.lengthBytes = 0
  }
}
