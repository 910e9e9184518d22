import { StoreError, type ErrorRecord } from '@o3/common/errors'
import type { LogIndex, Term } from '../../src/api/api.ts'
import { encodeConfiguration, noConfiguration, type Configuration } from '../../src/core/configuration.ts'
import type { Entry, NodeId } from '../../src/core/entry.ts'
import type { RaftStatus } from '../../src/core/raft.ts'
import type { Role } from '../../src/core/ready.ts'
import type { LogEntry, LogReader } from '../../src/log/segmented-log.ts'
import type { Consensus, LogFacts, MachineStart, OpenConsensus, StateMachine } from '../../src/node/consensus.ts'

/** What a member never forgets. */
interface Disk {
  /** Those from `firstIndex` on. */
  entries: Entry[]
  firstIndex: LogIndex
  /** Of the entry before `firstIndex`. */
  baseTerm: Term
  checkpointIndex: LogIndex
}

/**
 * A group without network and elections: the script says who leads, who has received what, and what is committed. Every
 * member keeps its log over restarts. It promises what Raft promises as long as the script does: entries that a majority
 * would hold are not given up.
 */
export class ScriptedGroup {
  readonly groupId = 'ab'.repeat(16)
  term: Term = 0
  leader: NodeId | undefined
  readonly members = new Map<NodeId, ScriptedMember>()
  private readonly disks = new Map<NodeId, Disk>()

  /** The opener of one member; a second one is its next life. */
  opener(id: NodeId): OpenConsensus {
    return async (machine, start) => {
      const disk = this.disks.get(id) ?? { entries: [], firstIndex: 1, baseTerm: 0, checkpointIndex: 0 }
      this.disks.set(id, disk)
      const member = new ScriptedMember({ group: this, id, disk, machine, start })
      this.members.set(id, member)
      member.tellPlace()
      await Promise.resolve()
      return member
    }
  }

  member(id: NodeId): ScriptedMember {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`${id} is not open`)
    return member
  }

  /** A new term. The others hear of it at once; the new leader serves when its blank entry is committed (`settle`). */
  elect(id: NodeId): void {
    this.term++
    this.leader = id
    for (const member of this.members.values()) member.tellPlace()
    this.member(id).append(new Uint8Array(0))
  }

  /** Nobody leads any more, and everybody knows. */
  depose(): void {
    this.term++
    this.leader = undefined
    for (const member of this.members.values()) member.tellPlace()
  }

  /** The leader's log, whole, to these members. */
  replicate(...ids: readonly NodeId[]): void {
    const leader = this.member(this.leader ?? '')
    for (const id of ids) this.member(id).receive(leader)
  }

  /** All that the leader has is committed; it applies it, and so do the members named. */
  async commit(...ids: readonly NodeId[]): Promise<void> {
    const leader = this.member(this.leader ?? '')
    await leader.applyUpTo(leader.lastIndex)
    for (const id of ids) await this.member(id).applyUpTo(leader.lastIndex)
  }

  /** Everybody has everything, and applies it. */
  async settle(): Promise<void> {
    const others = [...this.members.keys()].filter((id) => id !== this.leader)
    this.replicate(...others)
    await this.commit(...others)
  }

  /** Sends a snapshot, in pieces of about `maxBytes`; stops after `pieces` of them. */
  async sendSnapshot(
    from: NodeId,
    to: NodeId,
    options: { readonly name: string; readonly maxBytes: number; readonly pieces?: number },
  ): Promise<'installed' | 'interrupted'> {
    const source = await this.member(from).machine.openSnapshot()
    const receiver = await this.member(to).machine.openReceiver(options.name)
    try {
      let position = receiver.wanted
      for (let piece = 0; ; piece++) {
        if (piece === options.pieces) return 'interrupted'
        const { bytes, next } = await source.read(position, options.maxBytes)
        await receiver.store(position, next, bytes.slice())
        if (next === undefined) break
        position = next
      }
      const { index, term } = source
      await receiver.install({ index, term }, () => this.member(to).reset(index, term))
      this.member(to).installed(index)
      return 'installed'
    } finally {
      await source.close()
    }
  }
}

export class ScriptedMember implements Consensus {
  readonly id: NodeId
  readonly machine: StateMachine
  commitIndex: LogIndex
  appliedIndex: LogIndex
  mayPropose = false
  configuration: Configuration
  failed: ErrorRecord | undefined
  isClosed = false
  /** What a leader's reads wait for, when its lease does not hold. */
  lease: Promise<void> | undefined
  /** What `propose` throws. */
  refusesWith: StoreError | undefined
  private readonly group: ScriptedGroup
  private readonly disk: Disk
  private resets = 0
  /** What the log held before it was reset. */
  private retired: readonly Entry[] = []
  private waiting: { readonly index: LogIndex; readonly resolve: () => void }[] = []

  constructor(parts: {
    readonly group: ScriptedGroup
    readonly id: NodeId
    readonly disk: Disk
    readonly machine: StateMachine
    readonly start: MachineStart
  }) {
    const { group, id, disk, machine, start } = parts
    this.group = group
    this.id = id
    this.disk = disk
    this.machine = machine
    if (start.resetLog) this.resetNow(start.appliedIndex, start.appliedTerm)
    this.configuration = start.configuration?.configuration ?? {
      ...noConfiguration,
      voters: ['a', 'b', 'c'],
      addresses: { a: 'host-a:1', b: 'host-b:1', c: 'host-c:1' },
    }
    this.appliedIndex = Math.max(start.appliedIndex, disk.checkpointIndex)
    this.commitIndex = this.appliedIndex
    if (disk.firstIndex > this.appliedIndex + 1) throw new StoreError('Damaged', 'the log begins too late')
    if (start.claimedIndex > this.lastIndex) throw new StoreError('Damaged', 'the log ends too early')
  }

  get role(): Role {
    return this.group.leader === this.id ? 'leader' : 'follower'
  }

  get term(): Term {
    return this.group.term
  }

  get leader(): NodeId | undefined {
    return this.group.leader
  }

  get lastIndex(): LogIndex {
    return this.disk.firstIndex + this.disk.entries.length - 1
  }

  get log(): LogFacts {
    const { disk } = this
    return {
      hardState: { groupId: this.group.groupId },
      opening: { created: false, cutBytes: 0 },
      firstIndex: disk.firstIndex,
      lastIndex: this.lastIndex,
      bytes: disk.entries.reduce((sum, { payload }) => sum + payload.length, 0),
      queuedBytes: 0,
      maxAppendBytes: 1024 * 1024,
      outOfSpace: false,
      read: (from) => this.readerAt(from),
    }
  }

  propose(payload: Uint8Array): LogIndex {
    if (this.isClosed) throw new StoreError('Closed', 'closed')
    if (!this.mayPropose) throw new StoreError('NotLeader', 'not the leader')
    if (this.refusesWith !== undefined) throw this.refusesWith
    return this.append(payload)
  }

  /** Of a leader: a configuration entry like this one. */
  configure(configuration: Configuration): void {
    this.append(encodeConfiguration(configuration))
  }

  append(payload: Uint8Array): LogIndex {
    const index = this.lastIndex + 1
    this.disk.entries.push({ index, term: this.group.term, payload })
    return index
  }

  /** Takes back its entries from `from` on. */
  refuse(from: LogIndex, error: StoreError): void {
    this.disk.entries = this.disk.entries.filter(({ index }) => index < from)
    this.machine.refuse(from, error)
  }

  receive(leader: ScriptedMember): void {
    const { firstIndex, entries } = leader.disk
    if (firstIndex > this.lastIndex + 1) throw new Error(`${this.id} needs a snapshot`)
    const kept = this.disk.entries.filter(({ index }) => index < firstIndex)
    this.disk.entries = [...kept, ...entries.filter(({ index }) => index >= this.disk.firstIndex)]
  }

  async applyUpTo(index: LogIndex): Promise<void> {
    this.commitIndex = Math.max(this.commitIndex, Math.min(index, this.lastIndex))
    const from = this.appliedIndex
    const entries = this.disk.entries.filter((entry) => entry.index > from && entry.index <= this.commitIndex)
    if (entries.length === 0) return
    this.appliedIndex = this.commitIndex
    const room = this.machine.apply(entries)
    if (this.role === 'leader' && !this.mayPropose && entries.at(-1)?.term === this.group.term) {
      this.mayPropose = true
      this.machine.lead(this.group.term)
    }
    this.wake()
    await room
  }

  /** Role, term or leader changed. */
  tellPlace(): void {
    this.mayPropose = false
    const { term, role, leader } = this
    this.machine.follow({ term, role, leader })
  }

  readBarrier(): Promise<void> | undefined {
    if (this.mayPropose) return this.lease
    const { leader } = this.group
    if (leader === undefined) return Promise.reject(new StoreError('NotLeader', 'nobody leads'))
    const index = leader === this.id ? this.lastIndex : this.group.member(leader).commitIndex
    if (this.appliedIndex >= index) return Promise.resolve()
    return new Promise((resolve) => this.waiting.push({ index, resolve }))
  }

  checkpointed(index: LogIndex, keepBytes: number): Promise<void> {
    this.disk.checkpointIndex = Math.max(this.disk.checkpointIndex, index)
    const { entries } = this.disk
    let bytes = this.log.bytes
    while (entries[0] !== undefined && entries[0].index <= index && bytes - entries[0].payload.length >= keepBytes) {
      const [removed] = entries.splice(0, 1) as [Entry]
      bytes -= removed.payload.length
      this.disk.firstIndex = removed.index + 1
      this.disk.baseTerm = removed.term
    }
    return Promise.resolve()
  }

  reset(index: LogIndex, term: Term): Promise<void> {
    this.resetNow(index, term)
    return Promise.resolve()
  }

  installed(index: LogIndex): void {
    this.commitIndex = index
    this.appliedIndex = index
    this.wake()
  }

  status(): RaftStatus {
    const { id, role, term, leader, lastIndex, commitIndex, appliedIndex, configuration } = this
    return {
      id,
      role,
      term,
      leader,
      lastIndex,
      commitIndex,
      appliedIndex,
      configuration,
      firstIndex: this.disk.firstIndex,
      durableIndex: lastIndex,
      vote: '',
      mayVote: true,
      members: [],
      uncommittedBytes: 0,
      tailBytes: 0,
    }
  }

  transferLeadership(to: NodeId): Promise<void> {
    this.group.elect(to)
    return Promise.resolve()
  }

  changeMembership(): Promise<void> {
    return Promise.reject(new StoreError('NotImplemented', 'the script changes members'))
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }

  private resetNow(index: LogIndex, term: Term): void {
    this.resets++
    this.retired = this.disk.entries
    Object.assign(this.disk, { entries: [], firstIndex: index + 1, baseTerm: term, checkpointIndex: index })
  }

  private wake(): void {
    const ready = this.waiting.filter(({ index }) => index <= this.appliedIndex)
    this.waiting = this.waiting.filter(({ index }) => index > this.appliedIndex)
    for (const { resolve } of ready) resolve()
  }

  /** Like one that holds a file open, a reader that was opened before a reset goes on to read what was there. */
  private readerAt(from: LogIndex): LogReader {
    let index = from
    const { resets } = this
    return {
      next: (upTo) => {
        if (index > upTo) return Promise.resolve([])
        const entries = this.resets === resets ? this.disk.entries : this.retired
        if (this.resets === resets && index < this.disk.firstIndex) {
          return Promise.reject(new StoreError('InvalidRange', 'compacted'))
        }
        const found: readonly LogEntry[] = entries.filter((e) => e.index >= index && e.index <= upTo)
        index = upTo + 1
        return Promise.resolve(found)
      },
      close: () => Promise.resolve(),
    }
  }
}
