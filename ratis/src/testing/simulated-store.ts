import type { Env } from '@o3/common/env'
import { Simulation, type SimNode, type SimProcess } from '@o3/common/env/sim'
import type { KvStore } from '@o3/common/kv'
import type { ExecuteOptions, ReplicatedStore, StoreRules } from '../api/api.ts'
import { openReplicatedStore, type StoreOptions } from '../store/replicated-store.ts'
import { PacedKv } from './paced-kv.ts'

export interface SimulatedStoreOptions<Command, Reply> {
  readonly seed: string | number
  /** Over small defaults, under which a few commands already fill a log segment. */
  readonly store?: Partial<Omit<StoreOptions<Command, Reply>, 'env' | 'rules' | 'directory' | 'kv'>>
  /** The longest that one operation of the key-value store takes. Default 1. */
  readonly kvMaxMs?: number
  /** For planted bugs: what the store is given in place of its environment and its key-value store. */
  readonly plantEnv?: (env: Env) => Env
  readonly plantKv?: (kv: KvStore) => KvStore
}

/** A machine may go down while it recovers; more often in a row than this it will not get up. */
const mostAttempts = 20

/**
 * A replicated store on a simulated machine that can lose power or have its process killed at any moment. Scripts run
 * inside `run`; what belongs to a process that died answers `down`.
 */
export class SimulatedStore<Command, Reply> {
  readonly simulation: Simulation
  readonly node: SimNode
  private readonly rules: StoreRules<Command, Reply>
  private readonly options: SimulatedStoreOptions<Command, Reply>
  private process: SimProcess | undefined
  private opened: ReplicatedStore<Command, Reply> | undefined

  constructor(rules: StoreRules<Command, Reply>, options: SimulatedStoreOptions<Command, Reply>) {
    this.rules = rules
    this.options = options
    this.simulation = new Simulation({ seed: options.seed })
    this.node = this.simulation.node('one', { disk: { wholeSectorGarbage: true } })
  }

  /** The store of the running process, or of the one that ran last. */
  get store(): ReplicatedStore<Command, Reply> {
    if (this.opened === undefined) throw new Error('the store was never opened')
    return this.opened
  }

  /** Opens the store in virtual time, runs `script`, and settles as it does. */
  run<T>(script: () => Promise<T>): Promise<T> {
    return this.simulation.run(async () => {
      await this.open()
      return script()
    })
  }

  /** Starts a process and the store in it; again, when the machine goes down meanwhile. */
  async open(): Promise<void> {
    for (let attempts = 0; attempts < mostAttempts; attempts++) {
      const process = this.node.boot()
      this.process = process
      const opened = await process.whileUp(this.openOn(process))
      if (opened === 'down') continue
      this.opened = opened
      return
    }
    throw new Error(`the machine went down ${mostAttempts} times while the store was opening`)
  }

  /** Ends the process by a power cut or a kill and opens the store in a new one. */
  async restart(how: 'crash' | 'kill'): Promise<void> {
    this.node[how]()
    await this.open()
  }

  execute(command: Command, options?: ExecuteOptions): Promise<Reply | 'down'> {
    return this.whileUp(this.store.execute(command, options))
  }

  /** What the process that the store runs in says. */
  whileUp<T>(work: Promise<T>): Promise<T | 'down'> {
    if (this.process === undefined) throw new Error('the store was never opened')
    return this.process.whileUp(work)
  }

  private async openOn(process: SimProcess): Promise<ReplicatedStore<Command, Reply>> {
    const { clock, random } = process
    const { plantEnv, plantKv, kvMaxMs: maxMs = 1, store } = this.options
    const paced = new PacedKv(await this.node.openKv('kv'), { clock, random, maxMs })
    return openReplicatedStore({
      log: { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 },
      checkpoint: { everyLogBytes: 24 * 1024, keepLogBytes: 0 },
      ...store,
      env: plantEnv === undefined ? process : plantEnv(process),
      rules: this.rules,
      directory: 'store',
      kv: plantKv === undefined ? paced : plantKv(paced),
    })
  }
}
