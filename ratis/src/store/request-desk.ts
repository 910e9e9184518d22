import { utf8Length } from '@o3/common/codec'
import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { ExecuteOptions, RequestId, StoreRules, Term } from '../api/api.ts'
import type { RequestLedger } from './request-ledger.ts'
import type { StoreCounters } from './store-events.ts'
import type { Turns } from './turns.ts'

export interface DeskParts<Command, Reply> {
  readonly clock: Clock
  readonly rules: StoreRules<Command, Reply>
  readonly turns: Turns<Command, Reply>
  readonly ledger: RequestLedger
  readonly counters: StoreCounters
  /** Most commands under way. */
  readonly maxQueued: number
  /** Why nobody may ask here, or not with this term: somebody else leads, or in another term. */
  readonly away: (term: Term | undefined) => StoreError | undefined
  /** Why the store takes no such command now. */
  readonly refusal: (command: Command) => StoreError | undefined
}

const maxRequestIdBytes = 64

/**
 * Where commands come in: a named request that was answered gets its answer, one that is under way is joined, the rest is
 * admitted or refused, and counted until it is answered.
 */
export class RequestDesk<Command, Reply> {
  private readonly parts: DeskParts<Command, Reply>
  private readonly named = new Map<RequestId, Promise<Reply>>()
  private underWay = 0
  private readonly waitingForNone: (() => void)[] = []

  constructor(parts: DeskParts<Command, Reply>) {
    this.parts = parts
  }

  take(command: Command, options: ExecuteOptions = {}): Promise<Reply> {
    const { requestId, term } = options
    // Not even what is remembered: only the leader knows what was answered last.
    const away = this.parts.away(term)
    if (away !== undefined) return Promise.reject(away)
    if (requestId === undefined) return this.begin(command, options)
    if (requestId === '' || utf8Length(requestId) > maxRequestIdBytes) {
      return Promise.reject(new StoreError('InvalidArgument', `a request id has 1 to ${maxRequestIdBytes} bytes`))
    }
    return this.named.get(requestId) ?? this.remembered(requestId) ?? this.beginNamed(command, requestId, options)
  }

  /** Resolves when every command was answered. */
  async allAnswered(): Promise<void> {
    if (this.underWay > 0) await new Promise<void>((resolve) => this.waitingForNone.push(resolve))
  }

  private remembered(requestId: RequestId): Promise<Reply> | undefined {
    const { ledger, clock, rules } = this.parts
    const answer = ledger.find(requestId, clock.wallMs())
    if (answer === undefined) return undefined
    if (answer.kind === 'refusal') return Promise.reject(StoreError.fromRecord(answer.refusal))
    return Promise.resolve(answer.reply).then((reply) => rules.decodeReply(reply))
  }

  private beginNamed(command: Command, requestId: RequestId, options: ExecuteOptions): Promise<Reply> {
    const reply = this.begin(command, options)
    this.named.set(requestId, reply)
    const forget = (): void => void this.named.delete(requestId)
    reply.then(forget, forget)
    return reply
  }

  private begin(command: Command, { requestId, term }: ExecuteOptions): Promise<Reply> {
    const refusal = this.refusal(command)
    if (refusal !== undefined) return Promise.reject(refusal)
    this.parts.counters.commands++
    this.underWay++
    return new Promise<Reply>((resolve, reject) => {
      this.parts.turns.add({
        command,
        requestId,
        term,
        rowsFetched: 0,
        held: [],
        resolve: (reply) => {
          this.answered()
          resolve(reply)
        },
        reject: (error) => {
          this.answered()
          reject(error)
        },
      })
    })
  }

  private refusal(command: Command): StoreError | undefined {
    const refusal = this.parts.refusal(command)
    if (refusal === undefined && this.underWay >= this.parts.maxQueued) {
      return new StoreError('Busy', 'too many commands are waiting')
    }
    return refusal
  }

  private answered(): void {
    if (--this.underWay > 0) return
    for (const resolve of this.waitingForNone.splice(0)) resolve()
  }
}
