/** Something that will happen. */
export interface SimEvent {
  readonly atMs: number
  readonly sequence: number
  readonly kind: string
  readonly name: string
  readonly action: () => void
  /** `over`: it has left the queue. */
  state: 'due' | 'cancelled' | 'over'
}

/** Fewer cancelled ones than this may lie about. */
const toleratedCancelled = 64

/** Events by time, and within one time in the order they were added: a binary heap. Cancelled ones are never seen. */
export class EventQueue {
  #heap: SimEvent[] = []
  /** Among them. Most are deadlines of what was answered: each would hold on to its request until its time has come. */
  #cancelled = 0

  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  peek(): SimEvent | undefined {
    while (this.#heap[0]?.state === 'cancelled') {
      this.#cancelled--
      this.#takeFirst()
    }
    return this.#heap[0]
  }

  pop(): SimEvent | undefined {
    const first = this.peek()
    if (first !== undefined) this.#takeFirst()
    return first
  }

  push(event: SimEvent): void {
    this.#rise(this.#heap.push(event) - 1, event)
  }

  /** Of one that has happened, or was cancelled before, nothing. */
  cancel(event: SimEvent): void {
    if (event.state !== 'due') return
    event.state = 'cancelled'
    this.#cancelled++
    if (this.#cancelled > toleratedCancelled && 2 * this.#cancelled > this.#heap.length) this.#sweep()
  }

  #sweep(): void {
    const heap = this.#heap.filter(({ state }) => state === 'due')
    this.#heap = heap
    this.#cancelled = 0
    for (const [index, event] of heap.entries()) this.#rise(index, event)
  }

  #rise(from: number, event: SimEvent): void {
    const heap = this.#heap
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >>> 1
      const parent = heap[parentIndex]
      if (parent === undefined || isBefore(parent, event)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = event
  }

  #takeFirst(): void {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first !== undefined) first.state = 'over'
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      if (left === undefined) break
      const takesRight = right !== undefined && isBefore(right, left)
      const child = takesRight ? right : left
      if (isBefore(last, child)) break
      heap[index] = child
      index = 2 * index + (takesRight ? 2 : 1)
    }
    heap[index] = last
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
