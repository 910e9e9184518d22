import { Simulation, type SimNode, type SimProcess } from '@o3/common/env/sim'
import type { KvStore } from '@o3/common/kv'
import type { ExecuteOptions, ReplicatedStore, StoreRules } from '../api/api.ts'
import type { NodeId } from '../core/entry.ts'
import type { OpenConsensus } from '../node/consensus.ts'
import { openReplicatedStore, type StoreOptions } from '../store/replicated-store.ts'
import { simulatedKvPlaces } from './simulated-kv-places.ts'

/** Who is to be opened: one life of one member. */
export interface SimulatedMember {
  readonly id: NodeId
  /** The process that it lives in. */
  readonly env: SimProcess
  /** Where it may keep its log; exists, durably. */
  readonly directory: string
}

export interface SimulatedStoreGroupOptions<Command, Reply> {
  readonly seed: string | number
  /** Default: a, b, c. */
  readonly members?: readonly NodeId[]
  /** How a member joins its group. */
  readonly consensus: (member: SimulatedMember) => OpenConsensus
  /** Over small defaults, like those of `SimulatedStore`. */
  readonly store?: Partial<Omit<StoreOptions<Command, Reply>, 'env' | 'rules' | 'directory' | 'kv' | 'consensus'>>
  /** For planted faults: what a member is given in place of its key-value store. */
  readonly plantKv?: (id: NodeId, kv: KvStore) => KvStore
}

interface Member<Command, Reply> {
  readonly node: SimNode
  /** The one that `store` was opened in. */
  process: SimProcess | undefined
  store: ReplicatedStore<Command, Reply> | undefined
}

/**
 * A replicated store on several simulated machines, each of which can lose power or have its process killed; what joins
 * them into a group is the caller's. Scripts run inside `run`; what belongs to a process that died answers `down`.
 */
export class SimulatedStoreGroup<Command, Reply> {
  readonly simulation: Simulation
  readonly ids: readonly NodeId[]
  private readonly rules: StoreRules<Command, Reply>
  private readonly options: SimulatedStoreGroupOptions<Command, Reply>
  private readonly members = new Map<NodeId, Member<Command, Reply>>()

  constructor(rules: StoreRules<Command, Reply>, options: SimulatedStoreGroupOptions<Command, Reply>) {
    this.rules = rules
    this.options = options
    this.simulation = new Simulation({ seed: options.seed })
    this.ids = options.members ?? ['a', 'b', 'c']
    for (const id of this.ids) {
      const node = this.simulation.node(id, { disk: { wholeSectorGarbage: true } })
      this.members.set(id, { node, process: undefined, store: undefined })
    }
  }

  /** The store of the member's running process, or of the one that ran last. */
  store(id: NodeId): ReplicatedStore<Command, Reply> {
    const { store } = this.member(id)
    if (store === undefined) throw new Error(`the store of ${id} was never opened`)
    return store
  }

  /** Whether the member's store is open: its machine may be up and the store be opening. */
  isOpen(id: NodeId): boolean {
    const { node, process } = this.member(id)
    return process !== undefined && node.isUp && node.process === process
  }

  node(id: NodeId): SimNode {
    return this.member(id).node
  }

  /** Opens all members in virtual time, runs `script`, and settles as it does. */
  run<T>(script: () => Promise<T>): Promise<T> {
    return this.simulation.run(async () => {
      await Promise.all(this.ids.map((id) => this.open(id)))
      return script()
    })
  }

  /** Starts a process and the member's store in it. `down` when the machine went down meanwhile. */
  async open(id: NodeId): Promise<'up' | 'down'> {
    const member = this.member(id)
    const process = member.node.boot()
    const opened = await process.whileUp(this.openOn(id, process))
    if (opened === 'down') return 'down'
    member.process = process
    member.store = opened
    return 'up'
  }

  /** Ends the process by a power cut or a kill and opens the store in a new one. */
  async restart(id: NodeId, how: 'crash' | 'kill'): Promise<'up' | 'down'> {
    this.node(id)[how]()
    return this.open(id)
  }

  execute(id: NodeId, command: Command, options?: ExecuteOptions): Promise<Reply | 'down'> {
    return this.whileUp(id, this.store(id).execute(command, options))
  }

  /** What the process that the member's store runs in says. */
  whileUp<T>(id: NodeId, work: Promise<T>): Promise<T | 'down'> {
    const { process } = this.member(id)
    if (process === undefined) throw new Error(`the store of ${id} was never opened`)
    return process.whileUp(work)
  }

  private member(id: NodeId): Member<Command, Reply> {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`${id} is no member`)
    return member
  }

  private async openOn(id: NodeId, process: SimProcess): Promise<ReplicatedStore<Command, Reply>> {
    const directory = 'store'
    const { consensus, store, plantKv = (_, kv) => kv } = this.options
    await process.disk.makeDirectory(directory)
    await process.disk.syncDirectory('.')
    return openReplicatedStore({
      checkpoint: { everyLogBytes: 24 * 1024, keepLogBytes: 0 },
      ...store,
      env: process,
      rules: this.rules,
      directory,
      kv: simulatedKvPlaces(this.node(id), (kv) => plantKv(id, kv)),
      consensus: consensus({ id, env: process, directory }),
    })
  }
}
