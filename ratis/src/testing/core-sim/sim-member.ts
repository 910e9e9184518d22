import { assert } from '@o3/common/errors'
import type { SimRandom } from '@o3/common/env/sim'
import type { LogIndex, Term } from '../../api/api.ts'
import type { NodeId } from '../../core/entry.ts'
import { decodeConfiguration } from '../../core/configuration.ts'
import type { Message, SnapshotPlace } from '../../core/message.ts'
import type { Raft, RaftOptions, RaftStart } from '../../core/raft.ts'
import type { ApplyRange, Fetch, Persist, ReadState, Ready } from '../../core/ready.ts'
import { entryBytes, entryKind, type Entry } from '../../core/entry.ts'
import type { Checkers } from './checkers/checkers.ts'
import type { MemberView } from './checkers/checker.ts'
import { KvMachine, type MachineState } from './kv-machine.ts'
import type { MemberClock } from './member-clock.ts'
import type { MemberDisk } from './member-disk.ts'
import type { MessageNetwork } from './message-network.ts'
import { messageText } from './message-text.ts'
import type { Bugs } from './planted-bug.ts'
import type { SimPlan, Span } from './plan.ts'
import type { SimWorld } from './sim-world.ts'
import { SnapshotDesk } from './snapshot-desk.ts'

export type CoreFactory = (options: RaftOptions, start: RaftStart) => Raft

/** What becomes of a proposal: where its request took effect, or that nobody knows. */
export type ProposalFate = { readonly kind: 'applied'; readonly index: LogIndex } | { readonly kind: 'unknown' }

export type ReadFate =
  | { readonly kind: 'served'; readonly readIndex: LogIndex; readonly appliedIndex: LogIndex }
  | { readonly kind: 'refused' }

export interface SimMemberParts {
  readonly id: NodeId
  readonly plan: SimPlan
  readonly priority: number
  readonly world: SimWorld
  readonly random: SimRandom
  readonly network: MessageNetwork
  readonly disk: MemberDisk
  readonly clock: MemberClock
  readonly checkers: Checkers
  readonly coreFactory: CoreFactory
  readonly bugs: Bugs
}

interface Proposal {
  readonly term: Term
  readonly settle: (fate: ProposalFate) => void
}

interface Read {
  readIndex: LogIndex | undefined
  readonly settle: (fate: ReadFate) => void
}

/** A core in its process: takes what it wants done, does it late, and tells it. All of it goes with a crash but the disk. */
interface Running extends MemberView {
  machine: KvMachine
  readonly proposals: Map<LogIndex, Proposal>
  readonly reads: Map<number, Read>
  /** They count from 1 in each process. */
  lastRead: number
  readonly applying: ApplyRange[]
  isApplyBusy: boolean
  /** Counts the snapshots installed: what was planned before is void. */
  installs: number
  isPumpPlanned: boolean
}

export class SimMember {
  readonly id: NodeId
  readonly disk: MemberDisk
  readonly clock: MemberClock
  readonly #parts: SimMemberParts
  readonly #desk: SnapshotDesk
  #incarnation = 0
  #running: Running | undefined
  #isPaused = false
  /** Arrived while paused. */
  #backlog: (() => void)[] = []
  /** No faults of its own any more. */
  isCalm = false
  onDown: () => void = () => undefined
  /** Called once, when it has started. */
  onUp: (() => void) | undefined

  constructor(parts: SimMemberParts) {
    this.#parts = parts
    this.id = parts.id
    this.disk = parts.disk
    this.clock = parts.clock
    this.#desk = new SnapshotDesk(parts.id, parts.plan.snapshots.chunks)
    this.disk.onFailure = () => {
      parts.world.note('disk failed', this.id, [0, 0])
      this.crash()
      this.onDown()
    }
  }

  get isUp(): boolean {
    return this.#running !== undefined
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** While it is up. */
  get view(): MemberView | undefined {
    return this.#running
  }

  get leads(): boolean {
    return !this.#isPaused && this.#running?.core.role === 'leader'
  }

  start(): void {
    const { plan, random, world, priority } = this.#parts
    if (this.isUp) return
    const start = this.disk.start(this.clock.nowMs())
    const options = { id: this.id, ...plan.raft, priority, random: () => random.fraction() }
    const core = this.#parts.coreFactory(options, start)
    this.#incarnation++
    this.#running = {
      id: this.id,
      incarnation: this.#incarnation,
      core,
      disk: this.disk,
      machine: new KvMachine(this.disk.checkpoint),
      proposals: new Map(),
      reads: new Map(),
      lastRead: 0,
      applying: [],
      isApplyBusy: false,
      installs: 0,
      isPumpPlanned: false,
    }
    const facts = `applied ${start.appliedIndex} last ${start.lastIndex} t${start.hardState.term}`
    world.note('start', this.id, [start.appliedIndex, start.lastIndex], () => facts)
    this.#parts.checkers.installed(this.#running)
    this.#planTick(this.#incarnation)
    this.#pump(this.#running)
    this.onUp?.()
    this.onUp = undefined
  }

  crash(): void {
    if (this.#running === undefined) return
    this.#running = undefined
    this.#isPaused = false
    this.#backlog = []
    this.disk.crash()
    this.#desk.restart(this.#parts.random.chance(0.5) ? 'kept' : 'lost')
    this.#parts.world.note('down', this.id, [0, 0])
  }

  /** Nothing happens in it until `resume`; what arrives waits. */
  pause(): void {
    if (this.isUp) this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    const backlog = this.#backlog
    this.#backlog = []
    this.#input('resume', () => undefined)
    for (const action of backlog) action()
  }

  deliver(message: Message): void {
    this.#do(() => {
      const { world, checkers } = this.#parts
      world.note('got', this.id, [message.term, lengthOf(message)], () => messageText(message))
      this.#input('step', (running) => {
        checkers.delivered(running, message)
        running.core.step(message)
      })
    })
  }

  propose(payload: Uint8Array, settle: (fate: ProposalFate) => void): void {
    this.#do(() =>
      this.#input('propose', ({ core, proposals }) => {
        const proposed = core.propose([payload])
        if (proposed.kind === 'refused') settle({ kind: 'unknown' })
        else proposals.set(proposed.first, { term: proposed.term, settle })
      }),
    )
  }

  read(settle: (fate: ReadFate) => void): void {
    this.#do(() =>
      this.#input('read', (running) => {
        const id = ++running.lastRead
        const index = running.core.readIndex(id, this.clock.nowMs())
        running.reads.set(id, { readIndex: index, settle })
        this.#serveReads(running)
      }),
    )
  }

  /** An operator's call. */
  command(kind: string, action: (core: Raft) => void): void {
    this.#do(() => this.#input(kind, ({ core }) => action(core)))
  }

  /** Makes the applied state durable and cuts the log behind it, but for some entries. */
  checkpoint(): void {
    this.#do(() => {
      const running = this.#running
      if (running === undefined) return
      const { plan, random } = this.#parts
      const state = running.machine.state()
      const { installs } = running
      this.#later('checkpoint', plan.disk.syncMs, (now) => {
        if (now.installs !== installs) return
        this.disk.saveCheckpoint(state)
        const firstIndex = state.index + 1 - random.below(plan.snapshots.keepEntries + 1)
        if (firstIndex <= this.disk.log.firstIndex) return
        this.disk.cutTo(firstIndex)
        this.#parts.world.note('cut', this.id, [firstIndex, 0], () => `to ${firstIndex}`)
        now.core.compacted(firstIndex)
      })
    })
  }

  #do(action: () => void): void {
    if (this.#isPaused) this.#backlog.push(action)
    else if (this.isUp) action()
  }

  /** Every input of the core comes through here. */
  #input(kind: string, action: (running: Running) => void): void {
    const running = this.#running
    if (running === undefined) return
    const { plan, checkers, random, world } = this.#parts
    // After a pause a follower must hear of the time before it hears of its leader, or it would forget it at once. A leader
    // need not: it may answer a read before it knows how late it is.
    const isLate = kind === 'resume' && running.core.role !== 'leader'
    if (plan.ticks === 'each-input' || isLate) running.core.tick(this.clock.nowMs())
    action(running)
    checkers.stepped(running)
    if (plan.lazyReady > 0 && random.chance(plan.lazyReady) && !running.isPumpPlanned) {
      running.isPumpPlanned = true
      world.after({
        kind: 'ready',
        who: this.id,
        afterMs: random.fraction(),
        action: () => {
          running.isPumpPlanned = false
          if (this.#running === running) this.#do(() => this.#pump(running))
        },
      })
    } else if (!running.isPumpPlanned) this.#pump(running)
  }

  #planTick(incarnation: number): void {
    const { world, plan, random } = this.#parts
    const intervalMs = (plan.raft.heartbeatMs / 2) * (0.5 + 0.5 * random.fraction())
    world.after({
      kind: 'tick',
      who: this.id,
      afterMs: this.clock.trueDurationMs(intervalMs),
      action: () => {
        if (this.#running?.incarnation !== incarnation) return
        if (!this.#isPaused) this.#input('tick', ({ core }) => core.tick(this.clock.nowMs()))
        this.#planTick(incarnation)
      },
    })
  }

  /** Something that takes a while, unless the process ends before. */
  #later(kind: string, [from, to]: Span, action: (running: Running) => void): void {
    const { world, random, plan } = this.#parts
    const running = this.#running
    const tail = random.chance(plan.disk.tail) ? 20 : 1
    world.after({
      kind,
      who: this.id,
      afterMs: (from + (to - from) * random.fraction()) * Math.max(tail, this.disk.slowness),
      action: () => {
        if (this.#running !== running) return
        this.#do(() => this.#input(kind, action))
      },
    })
  }

  #pump(running: Running): void {
    for (;;) {
      if (this.#running !== running) return
      const ready = running.core.ready()
      if (ready === undefined) return
      this.#handle(running, ready)
    }
  }

  #handle(running: Running, ready: Ready): void {
    const { world, checkers, bugs } = this.#parts
    const { roleChange, persist } = ready
    if (roleChange !== undefined) {
      const { role, term, leader } = roleChange
      world.note('role', this.id, [term, role.length], () => `${role} t${term} of ${leader ?? 'nobody'}`)
      checkers.roleChanged(running, roleChange)
      if (role !== 'leader') this.#forsakeProposals(running)
    }
    if (persist !== undefined) this.#persist(running, persist)
    this.#send(running, ready.messages)
    if (ready.apply !== undefined) {
      running.applying.push(ready.apply)
      this.#apply(running)
    }
    for (const state of ready.readStates) this.#readState(running, state)
    for (const fetch of ready.fetches) this.#fetch(fetch)
    for (const { to, snapshot, position } of ready.chunkReads) this.#readChunk(to, snapshot, position)
    for (const chunk of ready.chunks) this.#storeChunk(chunk)
    if (bugs.has('messages-early') && persist !== undefined) this.#send(running, persist.messages)
  }

  #persist(running: Running, persist: Persist): void {
    const { world, checkers, bugs } = this.#parts
    const installed = this.#received(persist.install)
    const { id, entries, hardState, truncateFrom, install } = persist
    world.note('write', this.id, [id, entries.length], () => {
      const hard =
        hardState === undefined ? '' : ` t${hardState.term} v${hardState.vote}${hardState.mayVote ? '' : ' blank'}`
      const cut = truncateFrom === undefined ? '' : ` cut ${truncateFrom}`
      const whole = install === undefined ? '' : ` install ${install.index}`
      const group = entries.map(configurationText).join('')
      return `${id}:${hard}${whole}${cut} +${entries.length} at ${entries[0]?.index ?? '-'}${group}`
    })
    this.disk.write(persist, installed, () => {
      if (this.#running !== running) return
      checkers.durable(running, persist)
      this.#do(() => {
        world.note('durable', this.id, [id, 0])
        if (installed !== undefined) this.#install(running, installed)
        if (!bugs.has('messages-early')) this.#send(running, persist.messages)
        this.#input('persisted', ({ core }) => {
          core.persisted(id)
          // Of a committed entry, another leader's may still be the durable one: the core knows.
          this.disk.noteCommitted(Math.min(core.commitIndex, core.status().durableIndex))
        })
      })
    })
  }

  #received(place: SnapshotPlace | undefined): MachineState | undefined {
    if (place === undefined) return undefined
    const { bugs } = this.#parts
    const state = this.#desk.received(place)
    assert(state !== undefined, `the snapshot at ${place.index} was received whole`)
    if (bugs.has('requests-forgotten-by-snapshots')) return { ...state, requests: [] }
    if (bugs.has('configuration-forgotten-by-snapshots')) {
      return { ...state, configuration: this.disk.checkpoint.configuration }
    }
    return state
  }

  #install(running: Running, state: MachineState): void {
    const { world, checkers } = this.#parts
    world.note('install', this.id, [state.index, state.history])
    running.installs++
    running.applying.length = 0
    running.machine = new KvMachine(state)
    checkers.installed(running)
  }

  #send({ incarnation }: Running, messages: readonly Message[]): void {
    const { network, checkers, random, world } = this.#parts
    const running = this.#running
    if (running?.incarnation !== incarnation) return
    for (const message of messages) {
      checkers.sending(running, message)
      world.note('send', message.from, [message.term, lengthOf(message)], () => messageText(message))
      if (!network.send(message) && random.chance(0.2)) this.#tellUnreachable(message.to)
    }
  }

  #tellUnreachable(to: NodeId): void {
    this.#parts.world.fault('unreachable', this.id)
    this.#later('unreachable', [0, 1], ({ core }) => core.unreachable(to))
  }

  #forsakeProposals({ proposals }: Running): void {
    for (const { settle } of proposals.values()) settle({ kind: 'unknown' })
    proposals.clear()
  }

  #apply(running: Running): void {
    const range = running.applying[0]
    if (range === undefined || running.isApplyBusy) return
    running.isApplyBusy = true
    const { installs } = running
    this.#later('apply', this.#parts.plan.disk.applyMs, (now) => {
      now.isApplyBusy = false
      if (now.installs === installs) {
        now.applying.shift()
        this.#applyNow(now, range)
      }
      this.#apply(now)
    })
  }

  #applyNow(running: Running, { first, last }: ApplyRange): void {
    const { core, machine, proposals } = running
    const entries = core.entriesInMemory(first, last) ?? this.disk.log.slice(first, last)
    for (const entry of entries) {
      const effect = machine.apply(entry)
      this.#parts.checkers.applied(running, entry, effect)
      const proposal = proposals.get(entry.index)
      if (proposal === undefined) continue
      proposals.delete(entry.index)
      const isOurs = proposal.term === entry.term && effect !== undefined
      proposal.settle(isOurs ? { kind: 'applied', index: effect.index } : { kind: 'unknown' })
    }
    this.#parts.world.note('applied', this.id, [last, machine.hash], () => `${first}…${last}`)
    core.applied(last)
    this.#serveReads(running)
    this.#maybeCheckpoint(machine)
  }

  #maybeCheckpoint(machine: KvMachine): void {
    if (machine.index - this.disk.checkpoint.index >= this.#parts.plan.snapshots.everyEntries) this.checkpoint()
  }

  #readState(running: Running, { id, index }: ReadState): void {
    const read = running.reads.get(id)
    if (read === undefined) return
    if (index === undefined) {
      running.reads.delete(id)
      read.settle({ kind: 'refused' })
      return
    }
    read.readIndex = index
    this.#serveReads(running)
  }

  #serveReads({ reads, machine }: Running): void {
    for (const [id, { readIndex, settle }] of reads) {
      if (readIndex === undefined) continue
      if (machine.index < readIndex && !this.#parts.bugs.has('read-before-applied')) continue
      reads.delete(id)
      settle({ kind: 'served', readIndex, appliedIndex: machine.index })
    }
  }

  #fetch({ to, first, last, maxBytes }: Fetch): void {
    this.#later('fetch', this.#parts.plan.disk.readMs, ({ core }) => {
      const { log } = this.disk
      const entries: Entry[] = []
      let bytes = 0
      for (let index = first; index <= last; index++) {
        const entry = log.at(index)
        if (entry === undefined) break
        bytes += entryBytes(entry)
        if (entries.length > 0 && bytes > maxBytes) break
        entries.push(entry)
      }
      core.fetched(to, entries)
    })
  }

  #readChunk(to: NodeId, snapshot: string | undefined, position: string): void {
    this.#later('read-chunk', this.#parts.plan.disk.readMs, ({ core, machine }) => {
      const chunk = this.#chance() ? undefined : this.#desk.read(snapshot, position, () => machine.state())
      if (chunk === undefined) core.chunkFailed(to)
      else core.chunkRead(to, chunk)
    })
  }

  #storeChunk(chunk: Ready['chunks'][number]): void {
    this.#later('store-chunk', this.#parts.plan.disk.syncMs, ({ core }) => {
      if (this.#chance()) {
        core.chunkRefused(chunk)
        return
      }
      const stored = this.#desk.store(chunk)
      if (stored.kind === 'wanted') core.chunkStored(chunk, stored.position)
      else core.snapshotStored(chunk)
    })
  }

  #chance(): boolean {
    const { random, plan, world } = this.#parts
    const isStruck = !this.isCalm && random.chance(plan.disk.chunkFailure)
    if (isStruck) world.fault('refuse-chunk', this.id)
    return isStruck
  }
}

function configurationText({ index, payload }: Entry): string {
  if (entryKind(payload) !== 'configuration') return ''
  const { voters, outgoing, learners } = decodeConfiguration(payload)
  const before = outgoing.length > 0 ? `, before ${outgoing.join('')}` : ''
  return ` [${index}: ${voters.join('')}${before}, learn ${learners.join('')}]`
}

const lengthOf = (message: Message): number =>
  message.kind === 'append' ? message.previousIndex * 64 + message.entries.length : 0
