/** The members of a group as a client sees them: who led last, who was silent, whom to ask next. */

import type { Address, Clock } from '../env/env.ts'
import type { ErrorDetails } from '../errors.ts'
import type { RpcClient } from './rpc-client.ts'

export interface GroupMember {
  readonly id: string
  readonly address: Address
}

export interface RosterMember extends GroupMember {
  readonly client: RpcClient
  /** Why the last try here failed; for the message when all fail. */
  lastFailure: string | undefined
  /** It did not answer: until then the others are asked first. */
  suspectUntilMs: number
}

export interface RosterOptions {
  readonly members: readonly GroupMember[]
  readonly clock: Clock
  /** `id`: who is said to be there, as far as that is known. */
  readonly connect: (address: Address, id: string | undefined) => RpcClient
}

/** How many members the hints of others may add to those that were configured. */
const maxAdopted = 8
/** Longer than an election takes; a member that was stopped and goes on is asked again soon. */
const suspicionMs = 3_000

export class Roster {
  readonly members: RosterMember[]
  leader: RosterMember | undefined
  /** The latest term that anybody was said to lead in; 0: none yet. It only goes up, for a term that is over never comes again. */
  term = 0
  private readonly options: RosterOptions
  /** Where the next round begins: not all clients ask the same member first, and not the same one twice. */
  private turn = 0

  constructor(options: RosterOptions) {
    this.options = options
    this.members = options.members.map((member) => this.joined(member, member.id))
  }

  /**
   * Whom to ask, of those not yet asked in this round: the leader, whom the last answer named, whoever is not suspected of
   * silence, the others. Undefined: all were.
   */
  next(asked: ReadonlySet<RosterMember>, hint: RosterMember | undefined): RosterMember | undefined {
    const isOpen = (member: RosterMember | undefined): member is RosterMember =>
      member !== undefined && !asked.has(member)
    if (isOpen(this.leader)) return this.leader
    if (isOpen(hint) && !this.isSuspect(hint)) return hint
    const open = this.inTurn().filter(isOpen)
    return open.find((member) => !this.isSuspect(member)) ?? (isOpen(hint) ? hint : open[0])
  }

  /** The member that an answer names as leader: one that we know by its id, or one that we now learn of. */
  named(details: ErrorDetails): RosterMember | undefined {
    const { leader, address } = details
    const known = this.members.find((member) =>
      leader === undefined ? describeAddress(member.address) === address : member.id === leader,
    )
    if (known !== undefined) return known
    const found = typeof address === 'string' ? parseMemberAddress(address) : undefined
    const adopted = this.members.length - this.options.members.length
    if (found === undefined || adopted >= maxAdopted) return undefined
    const id = typeof leader === 'string' ? leader : undefined
    const member = this.joined({ id: id ?? String(address), address: found }, id)
    this.members.push(member)
    return member
  }

  /** Of a term only with its leader: candidates count terms up in which nobody ever leads. */
  learn({ leader, term }: ErrorDetails): void {
    if (leader !== undefined && Number.isSafeInteger(term)) this.term = Math.max(this.term, Number(term))
  }

  /** It answered: it is there, and leads. */
  leads(member: RosterMember): void {
    this.leader = member
    this.answers(member)
  }

  /** It answered, whatever it said. */
  answers(member: RosterMember): void {
    member.suspectUntilMs = 0
  }

  /**
   * It does not lead, or cannot be reached; `named` may, and is given back if so. A leader that another call has found
   * meanwhile stays.
   */
  unseat(member: RosterMember, named?: RosterMember): RosterMember | undefined {
    const successor = named === member ? undefined : named
    if (this.leader === undefined || this.leader === member) this.leader = successor
    return successor
  }

  suspect(member: RosterMember): void {
    member.suspectUntilMs = this.options.clock.monotonicMs() + suspicionMs
    this.unseat(member)
  }

  private isSuspect(member: RosterMember): boolean {
    return member.suspectUntilMs > this.options.clock.monotonicMs()
  }

  private inTurn(): readonly RosterMember[] {
    const { members } = this
    this.turn = (this.turn + 1) % members.length
    return [...members.slice(this.turn), ...members.slice(0, this.turn)]
  }

  private joined(member: GroupMember, id: string | undefined): RosterMember {
    const client = this.options.connect(member.address, id)
    return { ...member, client, lastFailure: undefined, suspectUntilMs: 0 }
  }
}

/** `host:port`, an IPv6 host in brackets; `unix:path`. */
export function describeAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

/** The inverse of `describeAddress`; undefined for what is none. */
export function parseMemberAddress(text: string): Address | undefined {
  if (text.startsWith('unix:')) return { kind: 'unix', path: text.slice(5) }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port > 65_535 ? undefined : { kind: 'tcp', host, port }
}
