/**
 * Forms turns: all commands that arrived since the last one are planned in one go, and their changes become one log
 * entry. A command whose rows are not in memory waits for them and joins the first turn after they came; the others go
 * on.
 */

import type { Env } from '@o3/common/env'
import { StoreError, unreachable } from '@o3/common/errors'
import type { StoreRules, Term } from '../api/api.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import type { Overlay } from './overlay.ts'
import { patchRowBytes, type PatchRow, type PendingEntry } from './pending-entry.ts'
import type { MissingRow, Planner } from './planner.ts'
import type { RequestLedger } from './request-ledger.ts'
import type { Request } from './request.ts'
import type { RowCache } from './row-cache.ts'
import type { RowFetcher } from './row-fetcher.ts'
import type { Stamps } from './stamp.ts'
import type { StoreCounters } from './store-events.ts'

export interface TurnParts<Command, Reply> {
  readonly rules: StoreRules<Command, Reply>
  readonly planner: Planner<Command, Reply>
  readonly overlay: Overlay
  readonly cache: RowCache
  readonly fetcher: RowFetcher
  readonly pipeline: CommitPipeline
  readonly stamps: Stamps
  readonly ledger: RequestLedger
  readonly counters: StoreCounters
  /** Larger changes of one plan are refused with `TooLarge`; a turn's entry is closed before it grows beyond. */
  readonly maxEntryBytes: () => number
  /** True while too much is under way behind the planner; `resume` is called when that ends. */
  readonly isBlocked: () => boolean
  /** Why nothing can be planned here now, or nothing that names this term: somebody else leads, or in another term. */
  readonly away: (term?: Term) => StoreError | undefined
  /** `Consensus.readBarrier`. */
  readonly readBarrier: () => Promise<void> | undefined
}

/** So that one turn does not hold the loop for long. */
const commandsPerTurn = 1024
/** A plan that reads more rows than this is wrong, or asked to do too much at once. */
const maxRowsPerCommand = 100_000

interface Turn {
  readonly wallMs: number
  entry: PendingEntry | undefined
}

export class Turns<Command, Reply> {
  private readonly env: Env
  private readonly parts: TurnParts<Command, Reply>
  /** Those whose rows have come go before those that have just arrived. */
  private resumed: Request<Command, Reply>[] = []
  private arrived: Request<Command, Reply>[] = []
  private scheduled = false
  /** Set when the store takes nothing any more: also those whose rows are still to come are refused. */
  private ended: StoreError | undefined
  private readonly run = (): void => this.runTurn()

  constructor(env: Env, parts: TurnParts<Command, Reply>) {
    this.env = env
    this.parts = parts
  }

  add(request: Request<Command, Reply>): void {
    this.arrived.push(request)
    this.schedule()
  }

  /** What blocked the planner may have gone. */
  resume(): void {
    if (this.arrived.length > 0 || this.resumed.length > 0) this.schedule()
  }

  /** Answers all that no turn has planned, or ever will; nothing of them happened. */
  end(error: StoreError): void {
    this.ended ??= error
    this.dismiss(this.ended)
  }

  /** Answers all that wait for their turn; nothing of them happened. Those whose rows are still to come follow by themselves. */
  dismiss(error: StoreError): void {
    for (const request of [...this.resumed.splice(0), ...this.arrived.splice(0)]) this.reject(request, error)
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.env.tasks.nextTurn(this.run)
  }

  private runTurn(): void {
    this.scheduled = false
    const { isBlocked, away } = this.parts
    const refusal = this.ended ?? away()
    if (refusal !== undefined) return this.dismiss(refusal)
    const turn: Turn = { wallMs: Math.floor(this.env.clock.wallMs()), entry: undefined }
    const waiting = this.resumed.length === 0 ? this.arrived : this.resumed.concat(this.arrived)
    this.resumed = []
    this.arrived = []
    let planned = 0
    while (planned < waiting.length && planned < commandsPerTurn && !isBlocked()) {
      this.plan(waiting[planned++] as Request<Command, Reply>, turn)
    }
    this.close(turn)
    if (planned === waiting.length) return
    this.arrived = planned === 0 ? waiting : waiting.slice(planned)
    if (!isBlocked()) this.schedule()
  }

  private plan(request: Request<Command, Reply>, turn: Turn): void {
    const { planner, stamps, counters, away } = this.parts
    // The desk has asked already, but rows may have been fetched since, through a loss of the lead and into another term.
    const refusal = request.term === undefined ? undefined : away(request.term)
    if (refusal !== undefined) return this.reject(request, refusal)
    counters.plans++
    const planned = planner.plan(request.command, stamps.next(turn.wallMs))
    switch (planned.kind) {
      case 'changed':
        return this.accept(request, planned, turn)
      case 'unchanged':
        return this.answerAfter(planned.basis, request, () => {
          const { requestId } = request
          const { rules, ledger } = this.parts
          if (requestId !== undefined) {
            ledger.rememberUnchanged(requestId, rules.encodeReply(planned.reply), turn.wallMs)
          }
          this.resolve(request, planned.reply)
        })
      case 'refused':
        return this.answerAfter(planned.basis, request, () => {
          counters.refusals++
          const { requestId } = request
          if (requestId !== undefined) this.parts.ledger.rememberRefusal(requestId, planned.refusal, turn.wallMs)
          this.reject(request, StoreError.fromRecord(planned.refusal))
        })
      case 'missing':
        return this.fetch(request, planned.rows)
      case 'failed':
        return this.reject(request, planned.error)
      default:
        return unreachable(planned)
    }
  }

  private accept(
    request: Request<Command, Reply>,
    planned: { readonly reply: Reply; readonly rows: readonly PatchRow[] },
    turn: Turn,
  ): void {
    const { overlay, pipeline, rules } = this.parts
    const maxEntryBytes = this.parts.maxEntryBytes()
    const { requestId } = request
    const reply = requestId === undefined ? undefined : { requestId, reply: rules.encodeReply(planned.reply) }
    let bytes = reply?.reply.length ?? 0
    for (const row of planned.rows) bytes += patchRowBytes(row)
    if (bytes > maxEntryBytes) {
      return this.reject(request, new StoreError('TooLarge', 'the change is larger than one log entry'))
    }
    if (turn.entry !== undefined && turn.entry.bytes + bytes > maxEntryBytes) this.close(turn)
    turn.entry ??= pipeline.newEntry(turn.wallMs)
    const { entry } = turn
    for (const row of planned.rows) {
      entry.put(row)
      overlay.set(row.rowKey, row.value, entry)
    }
    if (reply !== undefined) entry.addReply(reply)
    entry.waiting.push((loss) => {
      if (loss === undefined) this.resolve(request, planned.reply)
      else this.reject(request, loss.changed)
    })
  }

  private close(turn: Turn): void {
    const { entry } = turn
    turn.entry = undefined
    if (entry !== undefined) this.parts.pipeline.submit(entry, this.parts.stamps.lastSequence)
  }

  /**
   * Of a command that changes nothing. An answer that was found by looking at an uncommitted entry goes out after it, or
   * not at all: its commit also proves that this member led. Without one that has to be proved as for a read, or a leader
   * that was deposed without knowing it would answer from a state that is over.
   */
  private answerAfter(basis: PendingEntry | undefined, request: Request<Command, Reply>, answer: () => void): void {
    if (basis !== undefined) {
      basis.waiting.push((loss) => (loss === undefined ? answer() : this.reject(request, loss.unchanged)))
      return
    }
    const barrier = this.parts.readBarrier()
    if (barrier === undefined) answer()
    else void this.answerBehind(barrier, request, answer)
  }

  /** The barrier of a member that has lost the lead meanwhile proves nothing about what it had planned. */
  private async answerBehind(
    barrier: Promise<void>,
    request: Request<Command, Reply>,
    answer: () => void,
  ): Promise<void> {
    const { pipeline, away } = this.parts
    const { term } = pipeline
    try {
      await barrier
    } catch (error) {
      return this.reject(request, StoreError.from(error))
    }
    const refusal = this.ended ?? away()
    if (refusal !== undefined) this.reject(request, refusal)
    else if (pipeline.term !== term)
      this.reject(request, new StoreError('NotLeader', 'the lead changed hands meanwhile'))
    else answer()
  }

  private fetch(request: Request<Command, Reply>, rows: readonly MissingRow[]): void {
    const { counters } = this.parts
    counters.cacheMisses += rows.length
    request.rowsFetched += rows.length
    if (request.rowsFetched > maxRowsPerCommand) {
      return this.reject(request, new StoreError('TooManyEntries', 'the command touches too many rows'))
    }
    void this.fetchAll(request, rows)
  }

  /** What a command fetched stays in memory until it is answered: a small cache may not send it round for ever. */
  private async fetchAll(request: Request<Command, Reply>, rows: readonly MissingRow[]): Promise<void> {
    const { fetcher } = this.parts
    const fetched = await Promise.allSettled(rows.map(({ table, rowKey }) => fetcher.fetchHeld(table, rowKey)))
    for (const [at, { rowKey }] of rows.entries()) {
      const outcome = fetched[at]
      if (outcome?.status === 'fulfilled' && outcome.value) request.held.push(rowKey)
    }
    const failed = fetched.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) return this.reject(request, StoreError.from(failed.reason))
    this.resumed.push(request)
    this.schedule()
  }

  private resolve(request: Request<Command, Reply>, reply: Reply): void {
    this.release(request)
    request.resolve(reply)
  }

  private reject(request: Request<Command, Reply>, error: StoreError): void {
    this.release(request)
    request.reject(error)
  }

  private release(request: Request<Command, Reply>): void {
    for (const rowKey of request.held.splice(0)) this.parts.cache.unpin(rowKey)
  }
}
