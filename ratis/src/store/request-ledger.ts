import { retryOf, type Refusal } from '@o3/common/errors'
import type { LogIndex, RequestId } from '../api/api.ts'

/** What a request was answered. */
export type Remembered =
  | {
      readonly kind: 'reply'
      readonly reply: Uint8Array
      /** The entry of its change; undefined for a reply that changed nothing. */
      readonly index: LogIndex | undefined
      readonly wallMs: number
    }
  | { readonly kind: 'refusal'; readonly refusal: Refusal; readonly wallMs: number }

export interface LedgerWindow {
  /** Most requests remembered. */
  readonly maxRequests: number
  /** How long, by the stamps of the entries. */
  readonly maxAgeMs: number
}

/**
 * Exactly once: answers by request id, the youngest `maxRequests` of the last `maxAgeMs`. Replies ride in the log entry
 * of their change and in the checkpoint, so a retry gets the same answer after a restart too.
 *
 * Refusals, and replies that changed nothing, are remembered as well, but only here, by the leader that gave them. They
 * must stick: a client that was told "no", or "nothing to do", must not find the thing done because a delayed copy of its
 * request came in later. One term of one leader is all that this memory has to cover, for every copy names the term that it
 * is meant for (`ExecuteOptions.term`), and the terms that a client names only go up. The copy that was answered "no" in
 * term t is the last that was sent, so all others name t or less. One that names t reaches the leader that gave the answer:
 * a term has one, which has forgotten nothing, for a member that starts anew, or loses the lead, leads again only in a later
 * term. One that names less is refused by everybody who leads since, and whoever still believes to lead in a term before t
 * cannot commit what it plans, nor prove at its barrier that it leads. See docs/adr/0009.
 *
 * A refusal that tells the client to try the same request again (`retryOf`) is not kept, or the retry could never succeed.
 */
export class RequestLedger {
  private readonly window: LedgerWindow
  /** In order of remembering. */
  private readonly answers = new Map<RequestId, Remembered>()
  /**
   * Goes through them once, behind the oldest. To look for the oldest from the beginning each time would be to pass the places
   * of all that were forgotten, which a map keeps until it is made anew: with a full window, tens of thousands for each request.
   */
  private walk: MapIterator<[RequestId, Remembered]> | undefined
  private oldest: readonly [RequestId, Remembered] | undefined

  constructor(window: LedgerWindow) {
    this.window = window
  }

  get size(): number {
    return this.answers.size
  }

  find(requestId: RequestId, nowMs: number): Remembered | undefined {
    const found = this.answers.get(requestId)
    return found === undefined || this.isOld(found, nowMs) ? undefined : found
  }

  rememberReply(
    requestId: RequestId,
    reply: Uint8Array,
    at: { readonly index: LogIndex; readonly wallMs: number },
  ): void {
    this.remember(requestId, { kind: 'reply', reply, index: at.index, wallMs: at.wallMs })
  }

  /** A reply that changed nothing. */
  rememberUnchanged(requestId: RequestId, reply: Uint8Array, wallMs: number): void {
    this.remember(requestId, { kind: 'reply', reply, index: undefined, wallMs })
  }

  rememberRefusal(requestId: RequestId, refusal: Refusal, wallMs: number): void {
    if (retryOf(refusal.code) === 'never') this.remember(requestId, { kind: 'refusal', refusal, wallMs })
  }

  /** What a checkpoint kept, oldest first. */
  restore(records: readonly LedgerRecord[]): void {
    for (const record of records) this.rememberReply(record.requestId, record.reply, record)
  }

  /** The state is another one now: that of a snapshot, with the replies in it. */
  replace(records: readonly LedgerRecord[]): void {
    this.answers.clear()
    this.walk = undefined
    this.oldest = undefined
    this.restore(records)
  }

  /** Replies to requests of entries behind `after`, oldest first: what the next checkpoint has to keep. */
  repliesAfter(after: LogIndex): readonly LedgerRecord[] {
    const records: LedgerRecord[] = []
    for (const [requestId, answer] of this.answers) {
      if (answer.kind !== 'reply' || answer.index === undefined || answer.index <= after) continue
      records.push({ requestId, reply: answer.reply, index: answer.index, wallMs: answer.wallMs })
    }
    return records
  }

  /** The entry of the oldest reply in the window; undefined when there is none. */
  oldestIndex(nowMs: number): LogIndex | undefined {
    for (const answer of this.answers.values()) {
      if (answer.kind === 'reply' && answer.index !== undefined && !this.isOld(answer, nowMs)) return answer.index
    }
    return undefined
  }

  private remember(requestId: RequestId, answer: Remembered): void {
    this.answers.delete(requestId)
    this.answers.set(requestId, answer)
    this.forgetOld(answer.wallMs)
  }

  private forgetOld(nowMs: number): void {
    for (let oldest = this.findOldest(); oldest !== undefined; oldest = this.findOldest()) {
      const [requestId, answer] = oldest
      if (this.answers.size <= this.window.maxRequests && !this.isOld(answer, nowMs)) return
      this.answers.delete(requestId)
    }
  }

  private findOldest(): readonly [RequestId, Remembered] | undefined {
    // One that was remembered again is no longer the oldest.
    while (this.oldest === undefined || this.answers.get(this.oldest[0]) !== this.oldest[1]) {
      this.walk ??= this.answers.entries()
      const { value, done } = this.walk.next()
      if (done === true) {
        this.walk = undefined
        this.oldest = undefined
        if (this.answers.size === 0) return undefined
      } else this.oldest = value
    }
    return this.oldest
  }

  private isOld(answer: Remembered, nowMs: number): boolean {
    return nowMs - answer.wallMs > this.window.maxAgeMs
  }
}

export interface LedgerRecord {
  readonly requestId: RequestId
  readonly reply: Uint8Array
  readonly index: LogIndex
  readonly wallMs: number
}
