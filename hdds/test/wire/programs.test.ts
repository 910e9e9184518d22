/** Random programs of a caller in another process, while connections break and the datanode dies. */

import type { Address } from '@o3/common/env'
import { trustedClient } from '@o3/common/rpc'
import { describe, expect, test } from 'vitest'
import { RemoteDatanode } from '../../src/client/client.ts'
import { auditDatanode } from '../harness/audit.ts'
import { BlockModel } from '../harness/block-model.ts'
import { armRandomFault } from '../harness/lives.ts'
import { Machine } from '../harness/machine.ts'
import { Program } from '../harness/program.ts'
import { startServer } from '../harness/wire.ts'

/** `HDDS_WIRE_SEEDS=from-to` replays or widens. */
const [firstSeed = 1, lastSeed = 80] = (process.env['HDDS_WIRE_SEEDS'] ?? '1-80').split('-').map(Number)
const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i)
const address: Address = { kind: 'tcp', host: 'dn', port: 9861 }
const lives = 3

/** What of the programs was worth it: a test that never breaks a connection proves nothing. */
const seen = { deaths: 0, acknowledged: 0, unknown: 0, absent: 0 }

async function runRemoteLives(seed: number): Promise<void> {
  const machine = new Machine({ seed })
  const { node, simulation } = machine
  const random = simulation.random.fork('program')
  const gateway = simulation.node('gateway').boot()
  const model = new BlockModel()
  let isDead = false
  const program = new Program({ random, model, isDead: () => isDead })

  const life = async (): Promise<void> => {
    isDead = false
    if (!node.isUp) node.boot()
    const datanode = await machine.start()
    await program.check(datanode)
    const { server } = await startServer(datanode, machine.env, address, {})
    const remote = new RemoteDatanode({ env: gateway, id: 'dn-1', address, authentication: trustedClient })
    if (seed % 4 === 0) armRandomFault(machine)
    let left = random.chance(0.6) ? random.below(150) : Infinity
    node.onSite = () => {
      if (left-- > 0) return 'go-on'
      left = Infinity
      isDead = true
      return random.chance(0.5) ? 'crash' : 'kill'
    }
    simulation.network.resetChance = [0, 0.002, 0.02][random.below(3)] ?? 0
    const running = program.run(datanode, 3 + random.below(6), remote)
    const outcome = await node.whileUp(running)
    simulation.network.resetChance = 0
    node.onSite = () => 'go-on'
    if (outcome === 'down') {
      seen.deaths++
      remote.close()
      return await running
    }
    remote.close()
    if (random.chance(0.5)) {
      await server.close(0)
      await datanode.close()
    }
    isDead = true
    if (random.chance(0.5)) node.crash()
    else node.kill()
  }

  await machine.run(async () => {
    for (let i = 0; i < lives; i++) await life()
    isDead = false
    const datanode = await machine.start()
    for (const { state } of model.blocks) {
      if (state !== 'vanishing') seen[state]++
    }
    await program.check(datanode)
    await auditDatanode(datanode)
    await datanode.close()
  })
}

describe('over a wire that breaks, from a process that lives longer', () => {
  test(`seeds ${firstSeed} to ${lastSeed}`, { timeout: 120_000 }, async () => {
    for (const seed of seeds) {
      try {
        await runRemoteLives(seed)
      } catch (error) {
        const replay = `HDDS_WIRE_SEEDS=${seed}-${seed} npx vitest run hdds/test/wire/programs.test.ts`
        throw new Error(`replay with ${replay}`, { cause: error })
      }
    }
    if (seeds.length >= 80) {
      for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50)
    }
  })
})
