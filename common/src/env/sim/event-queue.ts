/** Something that will happen. */
export interface SimEvent {
  readonly atMs: number
  readonly sequence: number
  readonly kind: string
  readonly name: string
  readonly action: () => void
  isCancelled: boolean
}

/** Events by time, and within one time in the order they were added: a binary heap. */
export class EventQueue {
  readonly #heap: SimEvent[] = []

  get size(): number {
    return this.#heap.length
  }

  peek(): SimEvent | undefined {
    return this.#heap[0]
  }

  push(event: SimEvent): void {
    const heap = this.#heap
    let index = heap.push(event) - 1
    while (index > 0) {
      const parentIndex = (index - 1) >>> 1
      const parent = heap[parentIndex]
      if (parent === undefined || isBefore(parent, event)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = event
  }

  pop(): SimEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
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
    return first
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
