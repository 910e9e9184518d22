/** The service over a real Raft group, on three simulated machines: what `leaders.test.ts` scripts, as it happens. */

import { Graph } from '@o3/common/di'
import type { Clock } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { noConfiguration } from '@o3/ratis/node'
import { openReplicatedStore, raftMember } from '@o3/ratis/store'
import { MemoryNetwork } from '@o3/ratis/testing'
import { expect, test } from 'vitest'
import type { OmCommand, OmReply } from '../../src/api/api.ts'
import {
  defaultOmConfig,
  installOm,
  OM,
  OM_CONFIG,
  OM_ENV,
  OM_LOG,
  OM_RECONCILERS,
  OM_SCM,
  OM_STORE,
  omRules,
} from '../../src/module.ts'
import type { OmService } from '../../src/module.ts'
import { commitBlocks, commitInline, createBucket, createVolume, keyRef } from '../fixtures/commands.ts'
import { proven } from '../fixtures/keys.ts'
import { CountingScm } from '../fixtures/pure-om.ts'

const ids = ['a', 'b', 'c'] as const
type MemberId = (typeof ids)[number]
const config = { ...defaultOmConfig, leaseDurationMs: 2_000, blockDeletionDelayMs: 5_000 }

/** Three machines with a member of OM each and its reconcilers; their network loses what a script says. */
class RaftOm {
  readonly isolated = new Set<string>()
  readonly alarms: string[] = []
  readonly scm = new CountingScm()
  private readonly simulation: Simulation
  private readonly network: MemoryNetwork
  private readonly graphs = new Map<MemberId, Graph>()

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
      const graphs = [...this.graphs.values()]
      await Promise.all(graphs.map((graph) => graph.get(OM_RECONCILERS).stop()))
      await Promise.all(graphs.map((graph) => graph.get(OM_STORE).close()))
    })
  }

  at(id: MemberId): OmService {
    return this.graphs.get(id)!.get(OM)
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
  async execute(command: OmCommand, requestId: string): Promise<OmReply> {
    for (let tries = 0; tries < 1_000; tries++) {
      try {
        return await this.at(await this.leader()).execute(command, { requestId })
      } catch (error) {
        if (!(error instanceof StoreError) || !['NotLeader', 'OutcomeUnknown'].includes(error.code)) throw error
        await this.clock.sleep(20)
      }
    }
    throw new Error('nobody took the command')
  }

  private async open(id: MemberId): Promise<void> {
    const node = this.simulation.node(id)
    const env = node.boot()
    const consensus = raftMember({
      env,
      id,
      group: 'om',
      directory: 'om/log',
      log: { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 },
      transport: this.network.transport(id),
      bootstrap: { ...noConfiguration, voters: [...ids], addresses: { a: 'a:1', b: 'b:1', c: 'c:1' } },
    })
    await env.disk.makeDirectory('om')
    await env.disk.syncDirectory('.')
    const places = { open: (name: string) => node.openKv(name), remove: () => Promise.resolve() }
    const store = await openReplicatedStore({ env, directory: 'om', rules: omRules, kv: places, consensus })
    const note = (_: unknown, message: string): void => void this.alarms.push(`${id}: ${message}`)
    const log: Logger = { debug: () => {}, info: () => {}, warn: note, error: note, child: () => log }
    const graph = new Graph().value(OM_ENV, env).value(OM_LOG, log).value(OM_CONFIG, config)
    graph.value(OM_STORE, store).value(OM_SCM, this.scm)
    installOm(graph)
    graph.get(OM_RECONCILERS).start()
    this.graphs.set(id, graph)
  }
}

const seeds = Array.from({ length: 3 }, (_, n) => n + 1)

test.each(seeds)('leaders come and go: nobody reads what is old, garbage goes, no alarms; seed %d', async (seed) => {
  const group = new RaftOm(`leaders ${seed}`)
  await group.run(async () => {
    await group.execute(createVolume, 'volume')
    await group.execute(createBucket, 'bucket')
    for (let round = 0; round < 5; round++) {
      const old = await group.leader()
      const lease = await group.at(old).leaseBlocks({ holder: 'g', count: 4, replication: 'RATIS/ONE' })
      const local = lease.ranges[0]?.firstLocal ?? 0
      const piece = proven({ block: { container: 7, local }, length: 10 })
      await group.execute(commitBlocks(`key ${round}`, lease.id, [piece]), `blocks ${round}`)
      const written = commitInline(
        'k',
        Array.from({ length: round + 1 }, () => 1),
      )
      await group.execute(written, `inline ${round}`)
      const everywhere = await Promise.all(ids.map(async (id) => (await group.at(id).getKey(keyRef('k'))).size))
      expect(everywhere).toEqual([round + 1, round + 1, round + 1])

      group.isolated.add(old)
      // It may believe that it leads; what it answers must have been true when it was asked.
      const next = await group.leader()
      expect(next).not.toBe(old)
      await group.execute(commitInline('k', [1, 2, 3, 4, 5, 6, 7, 8]), `later ${round}`)
      const stale = (async () => group.at(old).getKey(keyRef('k')))()
      await expect(stale).rejects.toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(NotLeader|DeadlineExceeded)$/) as string }) as Error,
      )
      expect(await group.at(next).getKey(keyRef('k'))).toMatchObject({ size: 8 })
      group.isolated.delete(old)
      await group.clock.sleep(5_000)
    }
    // Of each lease three blocks were left.
    await group.clock.sleep(30_000)
    const deleted = group.scm.deleted.reduce((sum, { count }) => sum + count, 0)
    expect(deleted).toBeGreaterThanOrEqual(15)
    // The leader answers what it has in memory at once.
    const leader = group.at(await group.leader())
    await leader.getKey(keyRef('k'))
    expect(leader.getKey(keyRef('k'))).not.toBeInstanceOf(Promise)
    expect(await leader.audit()).toEqual([])
    expect(group.alarms).toEqual([])
  })
})
