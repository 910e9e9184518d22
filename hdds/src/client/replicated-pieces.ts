/** A range of a block out of several replicas. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { BlockId } from '@o3/scm/api'
import type { BlockAccess, ReadRange } from '../api/api.ts'
import type { EncodedPlace } from './container-places.ts'
import type { Asked } from './replica-race.ts'
import type { Replica, ReplicaSearch } from './replica-search.ts'

type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }

/** A reader gives up a block whose replicas break off so often, each after some bytes. */
const maxSwitches = 16

export interface ReplicatedPiecesOptions {
  readonly clock: Clock
  readonly block: BlockId
  readonly range: ReadRange
  readonly access: BlockAccess | undefined
  /** The longest wait for a piece at one replica while there is another. */
  readonly silenceMs: number
  /** The search to use, once it is known where the container is. */
  readonly search: () => Promise<ReplicaSearch>
  /** Reads what was erasure-coded. */
  readonly encoded: (place: EncodedPlace, range: ReadRange) => AsyncIterable<Uint8Array>
}

/** Where the bytes come from now; `replica` is undefined where they are decoded. */
interface Source {
  readonly replica: Replica | undefined
  readonly pieces: AsyncIterator<Uint8Array>
}

/**
 * The bytes of one replica until it breaks, is silent or damaged, and from the byte reached on those of another one. Exactly
 * as long as was asked. A piece is valid until the next one is asked for.
 */
export class ReplicatedPieces implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly options: ReplicatedPiecesOptions
  private search: ReplicaSearch | undefined
  private source: Source | undefined
  private reached = 0
  private switches = 0
  private isOver = false

  constructor(options: ReplicatedPiecesOptions) {
    this.options = options
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    if (this.isOver) return over
    try {
      return await this.advance()
    } catch (error) {
      // Whoever has left is told nothing more.
      if (this.isOver) return over
      await this.return()
      throw error
    }
  }

  async return(): Promise<Step> {
    this.isOver = true
    this.search?.cancel()
    const { source } = this
    this.source = undefined
    if (source !== undefined) letGo(source.pieces)
    return over
  }

  private async advance(): Promise<Step> {
    for (;;) {
      const step = this.source === undefined ? await this.begin() : await this.more(this.source)
      if (this.isOver) return over
      const failure = step instanceof StoreError ? step : this.misfit(step)
      if (failure === undefined) return this.accept(step as Step)
      // The reader has all that it asked for: how the call ends is nothing to it.
      if (this.reached > 0 && this.reached === this.options.range.length) return await this.return()
      await this.leave(failure)
    }
  }

  /** The first step of a replica that answers. */
  private async begin(): Promise<Step | StoreError> {
    this.search ??= await this.options.search()
    if (this.isOver) return over
    const range = this.rest()
    const found = await this.search.find((replica) => this.ask(replica, range))
    if (found.kind === 'answer') {
      const { source, step } = found.value
      if (this.isOver) letGo(source.pieces)
      else this.source = source
      return step
    }
    const pieces = this.options.encoded(found.place, range)[Symbol.asyncIterator]()
    this.source = { replica: undefined, pieces }
    return await this.more(this.source)
  }

  private ask(replica: Replica, range: ReadRange): Asked<{ readonly source: Source; readonly step: Step }> {
    const { block, access } = this.options
    const pieces = replica.datanode.read(block, range, access)[Symbol.asyncIterator]()
    const source: Source = { replica, pieces }
    return {
      answer: pieces.next().then((step) => ({ source, step })),
      cancel: () => letGo(pieces),
    }
  }

  /** What came, or why this replica is to be left. */
  private async more({ replica, pieces }: Source): Promise<Step | StoreError> {
    try {
      return await (replica === undefined ? pieces.next() : this.waitFor(pieces.next()))
    } catch (error) {
      if (error instanceof StoreError) return error
      throw error
    }
  }

  /**
   * `DeadlineExceeded` when it was silent and there is another one. Looked at anew after each silence: who had failed just before
   * may serve again, and after a second one it is worth trying whatever it did.
   */
  private async waitFor(next: Promise<Step>): Promise<Step> {
    const { clock, silenceMs } = this.options
    for (let silences = 0; this.search?.hasUntried === true; silences++) {
      try {
        return await withinDeadline(clock, silenceMs, 'the next piece of a block', next)
      } catch (error) {
        const isFirst = silences === 0 && isStoreError(error, 'DeadlineExceeded')
        if (!isFirst || this.search.hasOthers) throw error
      }
    }
    return await next
  }

  private misfit(step: Step): StoreError | undefined {
    const left = this.options.range.length - this.reached
    if (step.done === true ? left === 0 : step.value.length <= left) return undefined
    return new StoreError('IncompleteBody', 'a replica has not sent what was asked for')
  }

  private accept(step: Step): Step {
    if (step.done === true) {
      this.isOver = true
      this.source = undefined
      return over
    }
    this.reached += step.value.length
    if (this.source?.replica !== undefined) this.search?.progressed(this.source.replica)
    return step
  }

  private async leave(error: StoreError): Promise<void> {
    const { source } = this
    this.source = undefined
    if (source === undefined) throw error
    letGo(source.pieces)
    if (this.switches++ >= maxSwitches) throw error
    if (source.replica === undefined) await this.search?.leftEncoded(error)
    else this.search?.left(source.replica, error)
  }

  private rest(): ReadRange {
    const { offset, length } = this.options.range
    return { offset: offset + this.reached, length: length - this.reached }
  }
}

/**
 * Not waited for: a generator that is waiting for bytes itself answers only after them. What it says is about a reader that
 * has left.
 */
function letGo(pieces: AsyncIterator<Uint8Array>): void {
  pieces.return?.().then(undefined, () => undefined)
}
