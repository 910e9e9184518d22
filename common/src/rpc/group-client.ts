import type { Clock, Env } from '../env/env.ts'
import { StoreError, assert } from '../errors.ts'
import { isAnswer } from './answered-errors.ts'
import type { ClientAuthentication } from './authentication.ts'
import type { RpcResult } from './client-call.ts'
import { Round, meaningOf } from './group-round.ts'
import type { RpcLimits } from './limits.ts'
import { Roster, describeAddress } from './roster.ts'
import type { GroupMember, RosterMember } from './roster.ts'
import { RpcClient } from './rpc-client.ts'

export interface GroupClientOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks' | 'random'>
  /** What the group is, for messages: `om`, `scm`. */
  readonly name: string
  /** One or more. */
  readonly members: readonly GroupMember[]
  readonly authentication: ClientAuthentication
  /** Over those of members: a connection without a sign of life is given up after 6 s, not only after 30. */
  readonly limits?: Partial<RpcLimits>
  /** Of a call that brings none. Default 30 s. */
  readonly deadlineMs?: number
  /** Of one try of a call that brings none. Default 2 s. */
  readonly tryMs?: number
}

export interface GroupCallOptions {
  /**
   * `whenever`: the call reads, is idempotent, or carries a request id, so it is repeated also when it may have been
   * carried out. `if-not-begun`: only when it surely was not.
   */
  readonly repeat: 'whenever' | 'if-not-begun'
  /** From now to the answer. */
  readonly deadlineMs?: number
  /**
   * How long the first member has to answer before another is asked: the price of a leader that is there and silent.
   * Twice as long after each that did not, for it may be slow, and repetitions are more work for it.
   */
  readonly tryMs?: number
  readonly signal?: AbortSignal
}

/**
 * What a call sends. That of one that changes something is made for the leader of a term, which it names: a leader of
 * another term refuses it with `NotLeader`, and says in the details (`leader`, `term`) for whom it is to be made anew.
 */
export type GroupPayload = Uint8Array | ((term: number) => Uint8Array)

/** A machine that lost its power and is back must not look silent for long. */
const memberLimits: Partial<RpcLimits> = { handshakeTimeoutMs: 2_000, pingAfterMs: 2_000, deadAfterMs: 6_000 }
/** So long the others wait for the answer to the call that searches; then one more of them searches beside it. */
const searchAloneMs = 250

/**
 * Calls to whichever member of a group leads. It asks the last leader, follows what a `NotLeader` names (`leader`, an id,
 * and `address` in its details), and goes round the others, with growing pauses, until the deadline. While the leader is
 * not known one call searches, and the others wait for what it finds.
 *
 * A copy of a change may lie in a socket for minutes while its caller asks elsewhere, is told "no", and goes on. So every
 * copy names the latest term that is known here (0 at first), and only the leader of that term carries it out; the answer
 * comes from the last copy that was sent, and no earlier one names a later term. A refusal that brings a later term is
 * followed at once, and costs a round trip for each change of the lead.
 *
 * What a member says is the answer, but for `NotLeader` (nothing happened) and for `OutcomeUnknown`, `DeadlineExceeded`
 * and `Closed` of a call that may be repeated. `Unavailable` and `VolumeFailed` are it when the others know no better.
 */
export class GroupClient {
  private readonly options: GroupClientOptions
  private readonly clock: Clock
  private readonly roster: Roster
  private search: PromiseWithResolvers<void> | undefined
  private isClosed = false

  constructor(options: GroupClientOptions) {
    assert(options.members.length > 0, 'a group has a member')
    const { network, clock, tasks } = options.env
    const { authentication, limits } = options
    this.options = options
    this.clock = clock
    this.roster = new Roster({
      members: options.members,
      clock,
      connect: (address, serverId) =>
        new RpcClient({
          network,
          clock,
          tasks,
          address,
          authentication,
          serverId,
          limits: { ...memberLimits, ...limits },
        }),
    })
  }

  /** For a call that brings none: drawn once, and the same with every try. */
  newRequestId(): string {
    return this.options.env.random.uuid()
  }

  /**
   * Resolves with the payload of the leader's reply. Rejects with what the leader says; with `Unavailable` (it did not
   * happen) or `DeadlineExceeded` (it may have) when the deadline passes, which name each member and why it failed; with
   * `OutcomeUnknown` when the connection was lost under a call that must not be repeated; `Unauthenticated` or
   * `Incompatible` when no member takes us; `Busy`, `TooLarge`, `Closed`, or the reason of the signal.
   */
  async call(method: string, payload: GroupPayload, options: GroupCallOptions): Promise<Uint8Array> {
    const round = new Round(this.clock, { deadlineMs: this.options.deadlineMs ?? 30_000, ...options })
    try {
      for (;;) {
        await this.untilMyTurn(round)
        options.signal?.throwIfAborted()
        if (this.isClosed) throw new StoreError('Closed', `the client of ${this.options.name} is closed`)
        if (round.leftMs <= 0) throw this.exhausted(method, round)
        const member = this.roster.next(round.asked, round.hint)
        const reply =
          member === undefined ? await this.pause(round) : await this.ask(member, { method, payload, options, round })
        if (reply !== undefined) return reply
      }
    } finally {
      this.endSearch(round)
    }
  }

  /** Calls under way end with `Unavailable`, `OutcomeUnknown` or `Closed`. Idempotent. */
  close(): void {
    this.isClosed = true
    for (const { client } of this.roster.members) client.close()
  }

  /** The reply, or undefined when another member is to be asked. */
  private async ask(member: RosterMember, asked: Asked): Promise<Uint8Array | undefined> {
    const { method, payload, options, round } = asked
    round.asked.add(member)
    round.tries++
    const tryMs = (options.tryMs ?? this.options.tryMs ?? 2_000) * round.patience
    const deadlineMs = options.repeat === 'whenever' ? Math.min(tryMs, round.leftMs) : round.leftMs
    const cancel = this.clock.after(searchAloneMs, () => this.endSearch(round))
    const { term } = this.roster
    try {
      const { signal } = options
      const bytes = typeof payload === 'function' ? payload(term) : payload
      const result = await member.client.call(method, bytes, {
        deadlineMs,
        ...(signal === undefined ? {} : { signal }),
      })
      this.roster.leads(member)
      return await payloadOf(result)
    } catch (error) {
      if (!(error instanceof StoreError) || options.signal?.aborted === true || this.isClosed) throw error
      this.judge({ member, error, term }, asked)
      return undefined
    } finally {
      cancel()
    }
  }

  /** Notes what the failure says of the member. Throws what is the call's answer, or must not be repeated. */
  private judge({ member, error, term }: Failure, { payload, options, round }: Asked): void {
    const meaning = meaningOf(error)
    if (meaning !== 'answer') member.lastFailure = `${error.code} (${error.message})`
    switch (meaning) {
      case 'answer':
        if (isAnswer(error)) this.roster.leads(member)
        throw error
      case 'not-leader':
        this.roster.answers(member)
        round.hint = this.follow({ member, error, term }, typeof payload === 'function' ? round : undefined)
        return
      case 'refused-here':
        this.roster.answers(member)
        round.refusal = error
        return
      case 'unknown':
        this.roster.suspect(member)
        round.mayHaveHappened = true
        if (error.code === 'DeadlineExceeded') round.patience *= 2
        if (options.repeat === 'if-not-begun') throw error
        return
      case 'misfit':
        round.misfits.set(member, error)
        this.roster.suspect(member)
        return
      case 'not-sent':
        this.roster.suspect(member)
    }
  }

  /**
   * Whom a `NotLeader` sends us to. When it brings a later term than the copy named (`fenced`: of a call that names one),
   * whoever leads in it is asked once more, also the one that says it. No copy names less than the one before, so this
   * goes on for no longer than terms go up.
   */
  private follow({ member, error, term }: Failure, fenced: Round | undefined): RosterMember | undefined {
    const { roster } = this
    const { details } = error
    const named = roster.named(details)
    roster.learn(details)
    if (fenced === undefined || details['term'] !== roster.term || roster.term <= term) {
      return roster.unseat(member, named)
    }
    const leader = named ?? member
    fenced.asked.delete(leader)
    if (leader === member) roster.leads(member)
    else roster.unseat(member, leader)
    return leader
  }

  /** All were asked: waits a little, and begins anew. */
  private async pause(round: Round): Promise<undefined> {
    // "It did not happen" is true of the member that said it, not of one that was silent.
    if (round.refusal !== undefined && !round.mayHaveHappened) throw round.refusal
    const [misfit] = round.misfits.values()
    if (misfit !== undefined && round.misfits.size === this.roster.members.length) throw misfit
    await round.pause(this.options.env.random.fraction())
  }

  /** One call looks for the leader, the others wait for what it finds. */
  private async untilMyTurn(round: Round): Promise<void> {
    while (this.roster.leader === undefined && this.search !== undefined && this.search !== round.search) {
      if (round.leftMs <= 0 || this.isClosed) return
      await round.upTo(this.search.promise)
    }
    if (this.roster.leader === undefined && this.search === undefined) {
      round.search = Promise.withResolvers()
      this.search = round.search
    }
  }

  private endSearch(round: Round): void {
    round.search?.resolve()
    if (this.search === round.search) this.search = undefined
    round.search = undefined
  }

  private exhausted(method: string, round: Round): StoreError {
    const { name } = this.options
    const reasons = this.roster.members.map(({ id, lastFailure }) => `${id}: ${lastFailure ?? 'not asked'}`)
    const message = `no leader of ${name} answered ${method} within ${round.deadlineMs} ms; ${reasons.join('; ')}`
    const members = this.roster.members.map((member) => `${member.id}=${describeAddress(member.address)}`).join(' ')
    const details = { group: name, tries: round.tries, members }
    return new StoreError(round.mayHaveHappened ? 'DeadlineExceeded' : 'Unavailable', message, { details })
  }
}

/** What a member said, or did not, to a copy that was sent when this was the latest term. */
interface Failure {
  readonly member: RosterMember
  readonly error: StoreError
  readonly term: number
}

interface Asked {
  readonly method: string
  readonly payload: GroupPayload
  readonly options: GroupCallOptions
  readonly round: Round
}

/** The methods of a group answer without bodies; one that comes is left, for it holds a place on the connection. */
async function payloadOf({ payload, body }: RpcResult): Promise<Uint8Array> {
  await body?.[Symbol.asyncIterator]().return?.()
  return payload
}
