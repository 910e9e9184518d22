import { crc32 } from 'node:zlib'
import type { LogIndex, Term } from '@o3/ratis/api'
import type { Entry, NodeId, StateMachine } from '@o3/ratis/node'
import type { Accuse } from './violation.ts'

/** What the watch sees of one member, whichever life it is in. */
export interface WatchedMember {
  readonly id: NodeId
  /** Whether its disk is sure to hold this entry; of a member that is down, as of its end. */
  holds(index: LogIndex, term: Term): boolean
  /** The same, as the simulated disk has it: whatever the member believes, every power cut would leave it. */
  imageHolds(index: LogIndex, payload: Uint8Array): boolean
  /** It lost its disk, or part of it, and has not recovered: what it said before counts, for it may not vote now. */
  readonly isExcused: boolean
}

export interface GroupWatchOptions {
  readonly group: string
  /** Who may decide now; several sets while one takes the place of another. */
  readonly voterSets: () => readonly (readonly WatchedMember[])[]
  readonly accuse: Accuse
  /** For the story of the run. */
  readonly tell: (what: string) => void
}

/** One entry in so many is looked for in the images of the disks. */
const imageEvery = 8
/** Shorter ones could be found where they are not. */
const leastPayload = 24

interface Applied {
  readonly term: Term
  readonly checksum: number
}

/**
 * Stands beside every member of one group, over all its lives, and holds what they apply against each other: one log, one leader a
 * term, nothing applied before it is durable on a majority, equal rows at equal places.
 */
export class GroupWatch {
  readonly group: string
  installs = 0
  /** Told of every new leader. */
  onLeader: (id: NodeId) => void = () => {}
  private readonly options: GroupWatchOptions
  private readonly accuse: Accuse
  private readonly leaders = new Map<Term, NodeId>()
  private readonly log = new Map<LogIndex, Applied>()
  private readonly states = new Map<LogIndex, { readonly id: NodeId; readonly digest: string }>()
  private highest: LogIndex = 0

  constructor(options: GroupWatchOptions) {
    this.options = options
    this.accuse = options.accuse
    this.group = options.group
  }

  tell(what: string): void {
    this.options.tell(what)
  }

  get terms(): number {
    return this.leaders.size
  }

  get committed(): LogIndex {
    return this.highest
  }

  /** The machine, as its node sees it, with the watch in between. */
  watched(id: NodeId, machine: StateMachine): StateMachine {
    return {
      apply: (entries) => {
        for (const entry of entries) this.applied(id, entry)
        return machine.apply(entries)
      },
      lead: (term) => {
        this.led(id, term)
        machine.lead(term)
      },
      follow: (place) => machine.follow(place),
      refuse: (from, error) => machine.refuse(from, error),
      openSnapshot: () => machine.openSnapshot(),
      openReceiver: async (snapshot) => {
        const receiver = await machine.openReceiver(snapshot)
        return {
          wanted: receiver.wanted,
          store: (position, next, bytes) => receiver.store(position, next, bytes),
          install: async (place, resetLog) => {
            await receiver.install(place, resetLog)
            this.installs++
            this.tell(`${id} installs a snapshot at ${place.index}`)
          },
          discard: () => receiver.discard(),
        }
      },
      fail: (error) => machine.fail(error),
    }
  }

  /** All rows of one member at one place. */
  seen(id: NodeId, index: LogIndex, digest: string): void {
    const known = this.states.get(index)
    if (known === undefined) this.states.set(index, { id, digest })
    else if (known.digest !== digest) {
      this.accuse('equal-rows', `${this.group}: at ${index} the rows of ${id} differ from those of ${known.id}`)
    }
  }

  private led(id: NodeId, term: Term): void {
    const other = this.leaders.get(term)
    if (other !== undefined && other !== id) {
      this.accuse('one-leader', `${this.group}: ${other} and ${id} lead in term ${term}`)
    }
    this.leaders.set(term, id)
    this.tell(`${id} leads in term ${term}`)
    this.onLeader(id)
  }

  private applied(id: NodeId, entry: Entry): void {
    const { index, term, payload } = entry
    const known = this.log.get(index)
    const checksum = crc32(payload)
    if (known === undefined) this.log.set(index, { term, checksum })
    else if (known.term !== term || known.checksum !== checksum) {
      this.accuse('one-log', `${this.group}: ${id} applies another entry at ${index} (term ${term}, was ${known.term})`)
    }
    if (index <= this.highest) return
    this.highest = index
    this.expectDurable(id, entry)
  }

  private expectDurable(id: NodeId, entry: Entry): void {
    const sets = this.options.voterSets()
    if (sets.some((voters) => 2 * voters.filter((member) => isOn(member, entry)).length > voters.length)) return
    const holders = sets.flat().filter((member) => isOn(member, entry))
    const names = [...new Set(holders.map((member) => member.id))].join(' ') || 'nobody'
    this.accuse('durable', `${this.group}: ${id} applies ${entry.index}, which only ${names} has on disk`)
  }
}

function isOn(member: WatchedMember, { index, term, payload }: Entry): boolean {
  if (member.isExcused) return true
  const isLookedUp = index % imageEvery === 0 && payload.length > leastPayload
  return member.holds(index, term) && (!isLookedUp || member.imageHolds(index, payload))
}
