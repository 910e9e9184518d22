import type { Cancel, Disk, Env } from '@o3/common/env'
import { Simulation, type SimNode, type SimRandom, type SimProcess, type SimulationOptions } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import { noConfiguration, type Configuration } from '../core/configuration.ts'
import type { NodeId } from '../core/entry.ts'
import type { Message } from '../core/message.ts'
import { makeDurableDirectory } from '../log/durable-directory.ts'
import { openRaftNode, type RaftNodeOptions } from '../node/open-raft-node.ts'
import type { RaftNode } from '../node/raft-node.ts'
import { raftMethods, RpcTransport } from '../node/rpc-transport.ts'
import type { RaftTransport } from '../node/transport.ts'
import { ListMachine } from './list-machine.ts'
import { MemoryNetwork, type Travel } from './memory-transport.ts'

export interface SimulatedGroupOptions {
  readonly seed: string | number
  /** Default: a, b, c. */
  readonly voters?: readonly NodeId[]
  readonly network?: SimulationOptions['network']
  /** Messages travel by themselves, as this says, and not over the simulated network's streams. */
  readonly travel?: (message: Message, random: SimRandom) => Travel
  /** For planted bugs: what each member is given in place of its environment. */
  readonly plantEnv?: (env: Env) => Env
  /** Over small defaults, under which little fills a segment. */
  readonly node?: Partial<Pick<RaftNodeOptions, 'log' | 'raft' | 'limits' | 'bootstrap'>>
}

/** One member: a machine, and the process that runs on it now. */
export interface GroupMember {
  readonly id: NodeId
  readonly machine: SimNode
  readonly process: SimProcess
  readonly raft: RaftNode
  readonly list: ListMachine
  readonly transport: RaftTransport
}

const port = 7_000
const directory = 'raft'

/** Where a member of a simulated group listens. */
export const simulatedAddress = (id: NodeId): string => `${id}:${port}`

/** Members of one group on simulated machines, with simulated disks and a simulated network between them. */
export class SimulatedGroup {
  readonly simulation: Simulation
  readonly members = new Map<NodeId, GroupMember>()
  private readonly options: SimulatedGroupOptions
  private readonly bootstrap: Configuration
  /** Ways that are cut, `from to`, when messages travel by themselves. */
  private readonly cuts: string[] = []
  private readonly memory: MemoryNetwork | undefined

  constructor(options: SimulatedGroupOptions) {
    const { seed, voters = ['a', 'b', 'c'], network, travel } = options
    this.options = options
    this.simulation = new Simulation({ seed, ...(network && { network }) })
    const addresses = Object.fromEntries(voters.map((id) => [id, simulatedAddress(id)]))
    this.bootstrap = { ...noConfiguration, voters, addresses }
    if (travel === undefined) return
    const { clock, random } = this.simulation
    const dice = random.fork('travel')
    this.memory = new MemoryNetwork({
      clock,
      travel: (_, message) => (this.cuts.includes(`${message.from} ${message.to}`) ? [] : travel(message, dice)),
    })
  }

  /** Starts all first members, runs `script` in virtual time, and settles as it does. */
  run(script: (group: SimulatedGroup) => Promise<void>): Promise<void> {
    return this.simulation.run(async () => {
      for (const id of this.bootstrap.voters) await this.start(id)
      await script(this)
    })
  }

  member(id: NodeId): GroupMember {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`${id} does not run`)
    return member
  }

  /** Starts a process for the member, over what its disk holds. `stranger`: it does not know the group. */
  async start(id: NodeId, as: 'member' | 'stranger' = 'member', log?: RaftNodeOptions['log']): Promise<GroupMember> {
    const machine = this.simulation.node(id)
    const process = machine.boot()
    const { disk } = process
    await makeDurableDirectory(disk, directory)
    const list = new ListMachine(disk, directory)
    const transport = this.memory?.transport(id) ?? (await this.listen(process))
    const { node, plantEnv = (env: Env) => env } = this.options
    const raft = await openRaftNode({
      env: plantEnv(process),
      id,
      group: 'list',
      directory: `${directory}/log`,
      transport,
      recover: (opened) => list.recover(opened),
      ...(as === 'member' && { bootstrap: this.bootstrap }),
      ...node,
      log: { segmentBytes: 64 * 1024, maxBatchBytes: 32 * 1024, ...node?.log, ...log },
    })
    list.attach(raft)
    const member = { id, machine, process, raft, list, transport }
    this.members.set(id, member)
    return member
  }

  kill(id: NodeId): void {
    this.down(id, 'kill')
  }

  crash(id: NodeId): void {
    this.down(id, 'crash')
  }

  /** Gives the member's machine, which is down, a blank disk. */
  async wipe(id: NodeId): Promise<void> {
    const machine = this.simulation.node(id)
    const { disk } = machine.boot()
    await removeAll(disk, directory)
    machine.kill()
  }

  /** An orderly end of the member and its process. */
  async stop(id: NodeId): Promise<void> {
    const { raft, transport, machine } = this.member(id)
    this.members.delete(id)
    await raft.close()
    await transport.close()
    machine.kill()
  }

  /** Cuts the member off from all others. */
  isolate(id: NodeId): Cancel {
    const heals = [...this.members.keys()]
      .filter((other) => other !== id)
      .flatMap((other) => [this.block(id, other), this.block(other, id)])
    return () => {
      for (const heal of heals) heal()
    }
  }

  /** Nothing gets from one member to the other: on streams it waits, else it is lost. */
  block(from: NodeId, to: NodeId): Cancel {
    if (this.memory === undefined) return this.simulation.network.block(from, to)
    const way = `${from} ${to}`
    this.cuts.push(way)
    return () => {
      const at = this.cuts.indexOf(way)
      if (at >= 0) this.cuts.splice(at, 1)
    }
  }

  /** The member that may take proposals; of several that believe it, the one in the newest term. */
  get leader(): GroupMember | undefined {
    const leaders = [...this.members.values()].filter(({ raft }) => raft.mayPropose)
    return leaders.sort((x, y) => y.raft.term - x.raft.term)[0]
  }

  /** The leader, when there is one. */
  async elected(not?: NodeId): Promise<GroupMember> {
    await this.until('there is a leader', () => this.leader !== undefined && this.leader.id !== not)
    const { leader } = this
    if (leader === undefined) throw new Error('the leader is gone already')
    return leader
  }

  /** Proposes at whoever leads until it is applied; what is refused or unknown is proposed again. */
  async propose(text: string): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const { leader } = this
      try {
        if (leader !== undefined && (await leader.process.whileUp(leader.list.propose(text))) !== 'down') return
      } catch (error) {
        if (!isStoreError(error)) throw error
      }
      await this.simulation.clock.sleep(20)
    }
    throw new Error(`${text} was not taken`)
  }

  /** Polls in virtual time. */
  async until(what: string, condition: () => boolean, withinMs = 20_000): Promise<void> {
    const endMs = this.simulation.nowMs + withinMs
    while (!condition()) {
      if (this.simulation.nowMs > endMs) throw new Error(`after ${withinMs} ms it is still not true that ${what}`)
      await this.simulation.clock.sleep(5)
    }
  }

  /** All running members have the same list, whose last item is `text`. */
  async agreed(text: string): Promise<void> {
    await this.until(`all have ${text}`, () => {
      const lists = [...this.members.values()].map(({ list }) => list.items.join('\n'))
      return new Set(lists).size === 1 && lists[0]?.split('\n').at(-1) === text
    })
  }

  private async listen({ node, clock, network, tasks }: SimProcess): Promise<RpcTransport> {
    const address = simulatedAddress(node)
    const transport = new RpcTransport({ env: { clock, network, tasks }, address, authentication: trustedClient })
    const server = new RpcServer<undefined>({
      clock,
      tasks,
      network,
      log: nullLogger,
      authentication: trustedServer,
      methods: raftMethods<undefined>(transport, () => true),
    })
    await server.listen({ kind: 'tcp', host: '127.0.0.1', port })
    return transport
  }

  private down(id: NodeId, how: 'kill' | 'crash'): void {
    const { machine, transport } = this.member(id)
    machine[how]()
    void transport.close()
    this.members.delete(id)
  }
}

async function removeAll(disk: Disk, path: string): Promise<void> {
  for (const name of await disk.list(path)) {
    const each = `${path}/${name}`
    if ((await disk.stat(each))?.kind === 'directory') await removeAll(disk, each)
    else await disk.remove(each)
  }
  await disk.syncDirectory(path)
}
