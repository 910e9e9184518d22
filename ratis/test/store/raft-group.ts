import { noConfiguration } from '../../src/core/configuration.ts'
import type { NodeId } from '../../src/core/entry.ts'
import type { RaftTransport } from '../../src/node/transport.ts'
import { raftMember } from '../../src/store/raft-member.ts'
import { MemoryNetwork } from '../../src/testing/memory-transport.ts'
import { PacedKv } from '../../src/testing/paced-kv.ts'
import { SimulatedStoreGroup, type SimulatedStoreGroupOptions } from '../../src/testing/simulated-store-group.ts'
import { counterRules, type CounterCommand, type CounterReply } from './counter-rules.ts'

export type RaftStores = SimulatedStoreGroup<CounterCommand, CounterReply>

/** Three stores of counters over Raft, on machines of their own. */
export class RaftGroup {
  readonly stores: RaftStores
  readonly network: MemoryNetwork
  /** Messages from or to these are lost. */
  readonly isolated = new Set<NodeId>()

  constructor(
    options: Pick<SimulatedStoreGroupOptions<CounterCommand, CounterReply>, 'seed' | 'store'> & {
      /** The longest that one operation of a key-value store takes. */
      readonly kvMaxMs?: number
    },
  ) {
    const { seed, store = {}, kvMaxMs: maxMs = 1 } = options
    this.stores = new SimulatedStoreGroup(counterRules, {
      seed,
      store,
      plantKv: (id, kv) => {
        const { clock, random } = this.stores.node(id).process
        return new PacedKv(kv, { clock, random, maxMs })
      },
      consensus: ({ id, env, directory }) =>
        raftMember({
          env,
          id,
          group: 'counters',
          directory: `${directory}/log`,
          log: { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 },
          transport: this.transport(id, () => this.stores.node(id).isUp && this.stores.node(id).process === env),
          bootstrap: {
            ...noConfiguration,
            voters: ['a', 'b', 'c'],
            addresses: { a: 'host-a:1', b: 'host-b:1', c: 'host-c:1' },
          },
        }),
    })
    this.network = new MemoryNetwork({
      clock: this.stores.simulation.clock,
      travel: (_, { from, to }) => (this.isolated.has(from) || this.isolated.has(to) ? [] : [1]),
    })
  }

  run(script: () => Promise<void>): Promise<void> {
    return this.stores.run(script)
  }

  /** All who say that they lead: one that is cut off may not know better. The newest term first. */
  get leaders(): readonly NodeId[] {
    return this.stores.ids
      .filter((id) => this.stores.isOpen(id))
      .map((id) => ({ id, status: this.stores.store(id).status() }))
      .filter(({ status }) => status.role === 'leader' && status.failed === undefined)
      .sort((x, y) => y.status.term - x.status.term)
      .map(({ id }) => id)
  }

  /** Who leads and is heard. */
  get leader(): NodeId | undefined {
    return this.leaders.find((id) => !this.isolated.has(id))
  }

  /** Polls in virtual time. */
  async until(what: string, condition: () => boolean, withinMs = 30_000): Promise<void> {
    const { simulation } = this.stores
    const endMs = simulation.nowMs + withinMs
    while (!condition()) {
      if (simulation.nowMs > endMs) throw new Error(`after ${withinMs} ms it is still not true that ${what}`)
      await simulation.clock.sleep(5)
    }
  }

  /** The transport of one life: what a dead process says, nobody hears. */
  private transport(id: NodeId, isAlive: () => boolean): RaftTransport {
    const transport = this.network.transport(id)
    return {
      send: (group, message) => isAlive() && transport.send(group, message),
      setAddress: (member, address) => transport.setAddress(member, address),
      receive: (group, onMessage) => transport.receive(group, (message) => isAlive() && onMessage(message)),
      close: () => transport.close(),
    }
  }
}
