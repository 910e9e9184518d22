type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }

/**
 * The body of a streamed write, on the caller's side: what the writer puts in, the wire takes out. Bounded by the writer,
 * who waits for the marks of what it has put in.
 */
export class RunQueue implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly pieces: Uint8Array[] = []
  private waiter: ((step: Step) => void) | undefined
  private isOver = false

  push(piece: Uint8Array): void {
    if (this.isOver || piece.length === 0) return
    const { waiter } = this
    this.waiter = undefined
    if (waiter === undefined) this.pieces.push(piece)
    else waiter({ done: false, value: piece })
  }

  /** After what was pushed nothing comes. */
  end(): void {
    this.isOver = true
    this.waiter?.(over)
    this.waiter = undefined
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Step> {
    const piece = this.pieces.shift()
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece })
    if (this.isOver) return Promise.resolve(over)
    return new Promise((resolve) => {
      this.waiter = resolve
    })
  }

  return(): Promise<Step> {
    this.pieces.length = 0
    this.end()
    return Promise.resolve(over)
  }
}
