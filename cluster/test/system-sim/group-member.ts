import type { Env } from '@o3/common/env'
import type { SimNode, SimProcess, SimRandom } from '@o3/common/env/sim'
import type { KvStore } from '@o3/common/kv'
import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer, type RpcMethods } from '@o3/common/rpc'
import type { LogIndex, ReplicatedStore, StoreRules, Term } from '@o3/ratis/api'
import { raftMethods, RpcTransport } from '@o3/ratis/node'
import type { Configuration, NodeId, RaftNode, RaftNodeOptions, RaftTransport } from '@o3/ratis/node'
import { openReplicatedStore, raftMember, type OpenConsensus, type StoreOptions } from '@o3/ratis/store'
import { simulatedKvPlaces } from '@o3/ratis/testing'
import { countingTasks } from './counted-tasks.ts'
import { digestOf } from './rows-digest.ts'
import type { GroupWatch, WatchedMember } from './group-watch.ts'

export const port = 7_000
export const addressOf = (machine: string): string => `${machine}:${port}`

/** A service as it runs in one process. */
export interface RunningService {
  readonly methods: RpcMethods<undefined>
  start(): void
  stop(): Promise<void>
}

/** What is planted into a member to see whether anybody notices. */
export interface MemberPlants<Command, Reply> {
  readonly env?: (env: Env) => Env
  readonly kv?: (kv: KvStore, name: string) => KvStore
  readonly consensus?: (open: OpenConsensus) => OpenConsensus
  readonly store?: (store: ReplicatedStore<Command, Reply>, env: Env) => ReplicatedStore<Command, Reply>
}

export interface GroupMemberOptions<Command, Reply> {
  readonly node: SimNode
  readonly rules: StoreRules<Command, Reply>
  readonly watch: GroupWatch
  /** Absent: it belongs to no group until a leader finds it. */
  readonly bootstrap: Configuration | undefined
  readonly serve: (env: Env, store: ReplicatedStore<Command, Reply>) => RunningService
  readonly raft?: RaftNodeOptions['raft']
  readonly log?: RaftNodeOptions['log']
  readonly store?: Partial<StoreOptions<Command, Reply>>
  /** In the place of a transport: messages may be lost, doubled and late on its way. */
  readonly transport?: (transport: RaftTransport, env: Env) => RaftTransport
  /** How fast its clocks go, at first. */
  readonly clockRate: number
  readonly plants?: MemberPlants<Command, Reply>
}

export interface Life<Command, Reply> {
  readonly process: SimProcess
  readonly store: ReplicatedStore<Command, Reply>
  readonly raft: RaftNode
  readonly running: ReadonlySet<string>
  close(): Promise<void>
}

interface Loss {
  /** In which of its lives. */
  readonly life: number
  /** Nothing behind this one was lost. */
  readonly index: LogIndex
}

const directory = 'store'

/** One member of a group: a machine, and what runs on it now: production code, from the log to the RPC server. */
export class GroupMember<Command, Reply> implements WatchedMember {
  readonly id: NodeId
  readonly node: SimNode
  private current: Life<Command, Reply> | undefined
  /** Set when its disk lost something that it had; until it is known to have recovered. */
  private loss: Loss | undefined
  private lives = 0
  private rate: number
  private readonly options: GroupMemberOptions<Command, Reply>
  private lastRaft: RaftNode | undefined
  private wasOpen = false

  constructor(options: GroupMemberOptions<Command, Reply>) {
    this.options = options
    this.rate = options.clockRate
    this.node = options.node
    this.id = options.node.name
  }

  /** How fast its clocks go; kept over restarts. */
  get clockRate(): number {
    return this.rate
  }

  set clockRate(rate: number) {
    this.rate = rate
    if (this.current !== undefined) this.current.process.clock.rate = rate
  }

  /** What runs; undefined while it is down, or not open yet. */
  get life(): Life<Command, Reply> | undefined {
    return this.current?.process.isAlive === true ? this.current : undefined
  }

  get isExcused(): boolean {
    return this.isBad
  }

  /** Its disk lost something, and the group has not yet given it back. */
  get isBad(): boolean {
    const { loss, life } = this
    if (loss === undefined || life === undefined || !life.raft.status().mayVote) return loss !== undefined
    // Whoever opens its log reads all of it; and what was cut away need not be good.
    if (this.lives > loss.life || life.raft.log.firstIndex > loss.index) this.loss = undefined
    return this.loss !== undefined
  }

  /** Why it does not serve, though its process runs. */
  get failure(): string | undefined {
    const failed = this.life?.store.status().failed
    return failed && `${failed.code}: ${failed.message}`
  }

  /** For the end of a story. */
  describe(): string {
    if (this.life === undefined) return this.node.isUp ? 'not open' : 'down'
    const { members: _, configuration, ...status } = this.life.raft.status()
    const who = [configuration.voters.join(' '), configuration.outgoing.join(' '), configuration.learners.join(' ')]
    return `${JSON.stringify(status)} ${who.join(' / ')}`
  }

  /** A machine that is down gets a blank disk. */
  replaceDisk(): void {
    this.loss = { life: this.lives, index: Infinity }
    this.node.replaceDisk()
  }

  /** Turns one bit of a file of its log that nobody writes to. Undefined: there is none. */
  async flip(random: SimRandom): Promise<string | undefined> {
    const { life, node } = this
    if (life === undefined) return undefined
    const names = await life.process.whileUp(life.process.disk.list(`${directory}/log`))
    if (names === 'down') return undefined
    const segments = names.filter((each) => each.endsWith('.segment')).toSorted()
    const name = segments[random.below(segments.length - 1)]
    if (segments.length < 2 || name === undefined) return undefined
    const path = `${directory}/log/${name}`
    const next = Number.parseInt(segments[segments.indexOf(name) + 1] ?? '', 16)
    this.loss = { life: this.lives, index: next - 1 }
    node.disk.flip(path, random.below(node.disk.durable(path)?.bytes.length ?? 4096), random.below(8))
    return path
  }

  holds(index: LogIndex, term: Term): boolean {
    const log = this.lastRaft?.log
    if (log === undefined || log.durableIndex < index) return false
    return index < log.firstIndex || log.termAt(index) === term
  }

  imageHolds(index: LogIndex, payload: Uint8Array): boolean {
    const firstIndex = this.lastRaft?.log.firstIndex ?? 1
    if (index < firstIndex) return true // cut away, for the rows have it
    for (let first = index; first > 0; first--) {
      const file = this.node.disk.durable(`${directory}/log/${first.toString(16).padStart(16, '0')}.segment`)
      if (file === undefined) continue
      const at = Buffer.from(file.bytes).indexOf(payload)
      return at >= 0 && file.holds(at, payload)
    }
    return false
  }

  /** Starts a process. `down`: the machine went down meanwhile. Rejects as `openReplicatedStore`, and is down then. */
  async start(): Promise<'up' | 'down'> {
    const process = this.node.boot()
    process.clock.rate = this.rate
    try {
      const opened = await process.whileUp(this.open(process))
      if (opened === 'down') return 'down'
      this.current = opened
      this.lives++
      this.wasOpen = true
      return 'up'
    } catch (error) {
      this.node.kill()
      throw error
    }
  }

  down(how: 'kill' | 'crash'): void {
    this.node[how]()
  }

  /** Holds its rows against those of the others at the same place. Not at once: the read is linearizable. */
  async compareRows(): Promise<void> {
    const { rules, watch } = this.options
    const { life } = this
    if (life === undefined) return
    await life.process.whileUp(
      life.store.read(async (view) => watch.seen(this.id, view.appliedIndex, await digestOf(view, rules))),
    )
  }

  private async open(process: SimProcess): Promise<Life<Command, Reply>> {
    const { rules, watch, serve, log, raft, store: storeOptions, bootstrap, plants = {} } = this.options
    const { env: counted, running } = countingTasks(process)
    const env = plants.env?.(counted) ?? counted
    const { disk, clock, network, tasks } = env
    await disk.makeDirectory(directory)
    await disk.syncDirectory('.')
    const transport = new RpcTransport({ env, address: addressOf(this.id), authentication: trustedClient })
    const opener: OpenConsensus = async (machine, start) => {
      const member = raftMember({
        env,
        id: this.id,
        group: rules.name,
        directory: `${directory}/log`,
        transport: this.options.transport?.(transport, env) ?? transport,
        log: { onDamage: 'repair', expectExisting: this.wasOpen, ...log },
        ...(bootstrap && { bootstrap }),
        ...(raft && { raft }),
      })
      const opened = await member(watch.watched(this.id, machine), start)
      this.lastRaft = opened
      return opened
    }
    const opened = await openReplicatedStore({
      ...storeOptions,
      env,
      rules,
      directory,
      kv: simulatedKvPlaces(this.node, plants.kv),
      observe: (event) => {
        if (event.kind === 'failed') watch.tell(`${this.id} fails: ${String(event.cause)}`)
        if (event.kind === 'opened' && event.cutBytes > 0) watch.tell(`${this.id} cut ${event.cutBytes} torn bytes`)
      },
      consensus: plants.consensus?.(opener) ?? opener,
    })
    const node = this.lastRaft
    if (node === undefined) throw new Error('the store opened without its group')
    const store = plants.store?.(opened, env) ?? opened
    const service = serve(env, store)
    const server = new RpcServer<undefined>({
      clock,
      tasks,
      network,
      log: nullLogger,
      authentication: trustedServer,
      methods: { ...service.methods, ...raftMethods<undefined>(transport, () => true) },
    })
    await server.listen({ kind: 'tcp', host: this.id, port })
    service.start()
    const close = async (): Promise<void> => {
      await service.stop()
      await opened.close()
      await server.close(500)
      await transport.close()
    }
    return { process, store, raft: node, running, close }
  }
}
