import type { Cancel, Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import type { ReadState } from '../core/ready.ts'

interface Reader {
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

/** Readers that share one question to the core, and then wait for one index to be applied. */
interface Barrier {
  readonly readers: Reader[]
  index: LogIndex | undefined
  readonly cancelDeadline: Cancel
}

export interface ReadBarriersOptions {
  readonly clock: Clock
  /** A read that is not confirmed by then is refused. */
  readonly deadlineMs: number
  readonly appliedIndex: () => LogIndex
  readonly notLeader: () => StoreError
}

/**
 * Reads that wait to be linearizable: first for the index from which they are, then until that is applied. Readers who come
 * before the question has left share it: whatever answers it is from after they came.
 */
export class ReadBarriers {
  private readonly options: ReadBarriersOptions
  private readonly asked = new Map<number, Barrier>()
  /** They have their index. */
  private waiting: Barrier[] = []
  private lastId = 0
  /** The question that has not left yet. */
  private openId: number | undefined

  constructor(options: ReadBarriersOptions) {
    this.options = options
  }

  /**
   * `ask` puts the question under an id; it returns the index when the answer is there. Undefined: the read may go on at once.
   */
  enter(ask: (id: number) => LogIndex | undefined): Promise<void> | undefined {
    const open = this.openId === undefined ? undefined : this.asked.get(this.openId)
    if (open !== undefined) return new Promise((resolve, reject) => open.readers.push({ resolve, reject }))
    const id = ++this.lastId
    const index = ask(id)
    if (index !== undefined && index <= this.options.appliedIndex()) return undefined
    return new Promise((resolve, reject) => {
      const barrier = this.begin(id, { resolve, reject })
      if (index === undefined) this.openId = id
      else this.wait(id, barrier, index)
    })
  }

  /** What was asked has left: later readers ask anew. */
  seal(): void {
    this.openId = undefined
  }

  answer({ id, index }: ReadState): void {
    const barrier = this.asked.get(id)
    if (barrier === undefined) return
    if (index === undefined) this.refuse(id, barrier, this.options.notLeader())
    else this.wait(id, barrier, index)
  }

  applied(index: LogIndex): void {
    if (this.waiting.length === 0) return
    const { waiting } = this
    this.waiting = waiting.filter((barrier) => (barrier.index ?? 0) > index)
    for (const barrier of waiting) if ((barrier.index ?? 0) <= index) release(barrier)
  }

  stop(error: StoreError): void {
    const barriers = [...this.asked.entries()]
    for (const [id, barrier] of barriers) this.refuse(id, barrier, error)
    const { waiting } = this
    this.waiting = []
    for (const barrier of waiting) refuse(barrier, error)
  }

  private begin(id: number, reader: Reader): Barrier {
    const error = (): StoreError => new StoreError('DeadlineExceeded', 'the read was not confirmed in time')
    const cancelDeadline = this.options.clock.after(this.options.deadlineMs, () => {
      this.waiting = this.waiting.filter((each) => each !== barrier)
      this.refuse(id, barrier, error())
    })
    const barrier: Barrier = { readers: [reader], index: undefined, cancelDeadline }
    this.asked.set(id, barrier)
    return barrier
  }

  private wait(id: number, barrier: Barrier, index: LogIndex): void {
    this.asked.delete(id)
    if (index <= this.options.appliedIndex()) return release(barrier)
    barrier.index = index
    this.waiting.push(barrier)
  }

  private refuse(id: number, barrier: Barrier, error: StoreError): void {
    this.asked.delete(id)
    if (this.openId === id) this.openId = undefined
    refuse(barrier, error)
  }
}

function release({ readers, cancelDeadline }: Barrier): void {
  cancelDeadline()
  for (const { resolve } of readers) resolve()
}

function refuse({ readers, cancelDeadline }: Barrier, error: StoreError): void {
  cancelDeadline()
  for (const { reject } of readers) reject(error)
}
