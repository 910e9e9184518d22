/** The service over a real Raft group, on three simulated machines: what `leaders.test.ts` scripts, as it happens. */

import type { Clock } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/log'
import { noConfiguration } from '@o3/ratis/node'
import type { ReplicatedStore } from '@o3/ratis/api'
import { openReplicatedStore, raftMember } from '@o3/ratis/store'
import { MemoryNetwork } from '@o3/ratis/testing'
import { expect, test } from 'vitest'
import type { BlockRange, ContainerReport } from '../src/api/api.ts'
import { ScmService, defaultScmConfig, scmRules } from '../src/module.ts'
import type { ScmCommand, ScmReply } from '../src/module.ts'
import { healthy, ids } from './fixtures/three-members.ts'
import type { MemberId } from './fixtures/three-members.ts'

const heartbeatMs = 1_000

type Store = ReplicatedStore<ScmCommand, ScmReply>

/** Three machines with a member of SCM each; their network loses what a script says. */
class RaftScm {
  readonly isolated = new Set<string>()
  readonly alarms: string[] = []
  private readonly simulation: Simulation
  private readonly network: MemoryNetwork
  private readonly stores = new Map<MemberId, Store>()
  private readonly services = new Map<MemberId, ScmService>()
  private readonly registered = new Set<MemberId>()

  constructor(seed: string) {
    this.simulation = new Simulation({ seed })
    this.network = new MemoryNetwork({
      clock: this.simulation.clock,
      travel: (_, { from, to }) => (this.isolated.has(from) || this.isolated.has(to) ? [] : [1]),
    })
  }

  get clock(): Clock {
    return this.simulation.clock
  }

  run(script: () => Promise<void>): Promise<void> {
    return this.simulation.run(async () => {
      await Promise.all(ids.map((id) => this.open(id)))
      await script()
      await Promise.all([...this.stores.values()].map((store) => store.close()))
    })
  }

  at(id: MemberId): ScmService {
    const service = this.services.get(id)
    if (service === undefined) throw new Error(`${id} was not opened`)
    return service
  }

  private async open(id: MemberId): Promise<void> {
    const node = this.simulation.node(id)
    const env = node.boot()
    const consensus = raftMember({
      env,
      id,
      group: 'scm',
      directory: 'scm/log',
      log: { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 },
      transport: this.network.transport(id),
      bootstrap: { ...noConfiguration, voters: [...ids], addresses: { a: 'a:1', b: 'b:1', c: 'c:1' } },
    })
    await env.disk.makeDirectory('scm')
    await env.disk.syncDirectory('.')
    const places = { open: (name: string) => node.openKv(name), remove: () => Promise.resolve() }
    const store = await openReplicatedStore({ env, directory: 'scm', rules: scmRules, kv: places, consensus })
    const note = (_: unknown, message: string): void => void this.alarms.push(`${id}: ${message}`)
    const log: Logger = { debug: () => {}, info: () => {}, warn: note, error: note, child: () => log }
    this.stores.set(id, store)
    this.services.set(id, new ScmService({ env, store, config: defaultScmConfig, log }))
  }

  /** Of those that can be reached; polls in virtual time. */
  async leader(): Promise<MemberId> {
    for (let waited = 0; waited < 30_000; waited += 5) {
      const found = ids.filter((id) => !this.isolated.has(id) && this.at(id).standing().kind === 'leads')
      if (found[0] !== undefined) return found[0]
      await this.clock.sleep(5)
    }
    throw new Error('nobody leads after 30 s')
  }

  /** As a group client does: goes on until somebody answers. */
  async allocate(requestId: string): Promise<BlockRange> {
    for (let tries = 0; tries < 1_000; tries++) {
      const leader = await this.leader()
      try {
        const [range] = await this.at(leader).allocateBlocks({ count: 8, replication: 'RATIS/ONE' }, { requestId })
        return range!
      } catch (error) {
        if (!(error instanceof StoreError) || !['NotLeader', 'OutcomeUnknown', 'Unavailable'].includes(error.code))
          throw error
        await this.clock.sleep(20)
      }
    }
    throw new Error('nobody allocated')
  }

  /** The datanode's round with one member, as in hdds. */
  async beat(id: MemberId, containers: readonly ContainerReport[] = []): Promise<string[]> {
    const scm = this.at(id)
    if (!this.registered.has(id)) {
      this.registered.add(id)
      const { commands } = await scm.register({ id: 'dn', address: 'dn:1', disks: [healthy], containers: [] })
      return commands.map(({ kind }) => kind)
    }
    const { commands } = await scm.heartbeat({
      id: 'dn',
      full: false,
      disks: [healthy],
      containers,
      deletedTransactions: [],
    })
    return commands.map(({ kind }) => kind)
  }
}

const seeds = Array.from({ length: 5 }, (_, n) => n + 1)
test.each(seeds)('leaders come and go: no block twice, no waiting for datanodes, no alarms; seed %d', async (seed) => {
  const group = new RaftScm(`leaders ${seed}`)
  await group.run(async () => {
    await group.leader()
    let isRunning = true
    const beating = ids.map(async (id) => {
      while (isRunning) {
        // A member that is cut off may refuse what it cannot commit.
        await group.beat(id).catch((error: unknown) => {
          if (!(error instanceof StoreError)) throw error
        })
        await group.clock.sleep(heartbeatMs)
      }
    })
    await group.clock.sleep(heartbeatMs)
    const handedOut = new Set<string>()
    const spend = ({ container, firstLocal }: BlockRange) => {
      const block = `${container}/${firstLocal}`
      expect(handedOut.has(block)).toBe(false)
      handedOut.add(block)
    }
    spend(await group.allocate('first'))
    for (let round = 0; round < 6; round++) {
      const old = await group.leader()
      // One under way when the leader is cut off; its caller repeats it.
      const caught = group
        .at(old)
        .allocateBlocks({ count: 8, replication: 'RATIS/ONE' }, { requestId: `caught ${round}` })
      caught.catch(() => undefined)
      group.isolated.add(old)
      const next = await group.leader()
      expect(next).not.toBe(old)
      const electedMs = group.clock.monotonicMs()
      const caughtAgain = await group.allocate(`caught ${round}`)
      expect(group.clock.monotonicMs() - electedMs).toBeLessThan(heartbeatMs)
      spend(caughtAgain)
      // The new leader closes what the old one hands out from.
      const closed = caughtAgain.container
      await group.at(next).closeContainer(closed)
      for (let i = 0; i < 3; i++) {
        const range = await group.allocate(`${round} ${i}`)
        expect(range.container).not.toBe(closed)
        spend(range)
      }
      const [outcome] = await Promise.allSettled([caught])
      if (outcome.status === 'fulfilled') expect(outcome.value).toEqual([caughtAgain])
      group.isolated.delete(old)
      await group.clock.sleep(2 * heartbeatMs)
    }
    isRunning = false
    await Promise.all(beating)
    const { containers } = await group.at(await group.leader()).summary()
    expect(containers.OPEN).toBe(defaultScmConfig.openContainersPerNode)
    expect(group.alarms).toEqual([])
  })
})
