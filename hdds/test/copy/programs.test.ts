/** Random copies: sources that break, lie, fall silent, are slow, lose blocks; a target that dies in the middle. */

import { isStoreError } from '@o3/common/errors'
import type { SimRandom } from '@o3/common/env/sim'
import { expect, test } from 'vitest'
import { auditDatanode, auditDeleted } from '../harness/audit.ts'
import { sameBytes } from '../harness/bytes.ts'
import { contentOf, copy, reconcile, replicas } from '../harness/copying.ts'
import { collect } from '../harness/expect-error.ts'
import { Machine } from '../harness/machine.ts'
import type { MemoryReplica, ReplicaFaults } from '../harness/memory-replica.ts'

/** `HDDS_COPY_SEEDS=from-to` replays or widens. */
const [firstSeed = 1, lastSeed = 40] = (process.env['HDDS_COPY_SEEDS'] ?? '1-40').split('-').map(Number)

function someFaults(random: SimRandom): ReplicaFaults {
  const rare = (local: number): boolean => local % (5 + random.below(2)) === 0
  const choices: readonly ReplicaFaults[] = [
    {},
    {},
    { breaksAfterBytes: random.below(400_000) },
    { silentAt: 1 + random.below(60) },
    { pauseMs: 200 + random.below(2_000) },
    { corrupts: rare },
    { hides: rare },
    { absent: rare },
    { damaged: rare },
    { unreachable: () => random.chance(0.3) },
  ]
  return choices[random.below(choices.length)] ?? {}
}

function lengthsOf(random: SimRandom): Record<number, number> {
  const lengths: Record<number, number> = {}
  for (let local = 1; local <= 60; local++) {
    if (random.chance(0.2)) continue
    lengths[local] = random.chance(0.04) ? 1_048_577 + random.below(900_000) : random.below(9_000)
  }
  return lengths
}

/** What may happen while blocks are sent: a power cut here, a deletion there. */
function arm(machine: Machine, sources: readonly MemoryReplica[], random: SimRandom): void {
  const { node } = machine
  let untilCrash = random.chance(0.6) ? random.below(80) : Infinity
  let untilDeletion = random.chance(0.4) ? random.below(60) : Infinity
  for (const source of sources) {
    source.onBlock = () => {
      if (untilCrash-- === 0 && node.isUp) node.crash()
      if (untilDeletion-- !== 0) return
      const locals = [...source.blocks.keys()]
      const gone = locals[random.below(locals.length)]
      for (const each of sources) each.blocks.delete(gone ?? 0)
    }
  }
}

async function life(seed: number, how: 'copy' | 'reconcile'): Promise<void> {
  const machine = new Machine({ seed: `${how}-${seed}` })
  const random = machine.simulation.random.fork('copies')
  const { node } = machine
  await machine.run(async () => {
    let datanode = await machine.start()
    const sources = replicas(machine, 1 + random.below(3), lengthsOf(random))
    const act = how === 'copy' ? copy : reconcile
    if (how === 'reconcile') {
      const own = [...sources[0]!.blocks].filter(() => random.chance(0.3))
      await datanode.createContainer(1)
      for (const [local, bytes] of own) {
        const writer = await datanode.openWriter({ container: 1, local })
        await writer.write([bytes])
        await writer.commit()
      }
      await datanode.dataDisks[0]!.containers.get(1)!.close({ how: 'alone' })
    }
    for (let attempt = 0; attempt < 4; attempt++) {
      for (const source of sources) source.faults = someFaults(random)
      arm(machine, sources, random)
      const outcome = await node.whileUp(
        act(machine, sources).catch((error: unknown) => {
          if (!isStoreError(error, 'Unavailable', 'ConcurrentChange')) throw error
        }),
      )
      const reports = outcome === 'down' ? [] : datanode.containers()
      for (const { state, contentHash } of reports) {
        if (state === 'CLOSED' && contentHash !== sources[0]!.hash)
          throw new Error('closed, and not what the sources are')
        if (state === 'OPEN') throw new Error('a copy that is not finished is seen')
      }
      if (outcome === 'down') datanode = await machine.start()
      if (datanode.containers().some(({ state }) => state === 'CLOSED')) break
    }
    for (const source of sources) {
      source.faults = {}
      source.onBlock = undefined
    }
    await act(machine, sources)
    const { hash, blocks } = sources[0]!
    expect(datanode.containers()).toMatchObject([
      { id: 1, state: 'CLOSED', contentHash: hash, blockCount: blocks.size },
    ])
    for (const [local, bytes] of blocks) {
      const read = await collect(datanode.read({ container: 1, local }, { offset: 0, length: bytes.length }))
      if (!sameBytes(read, contentOf(local, bytes.length))) throw new Error(`block ${local} has other bytes`)
    }
    await auditDatanode(datanode)
    await datanode.close()
    await auditDeleted(machine.env, datanode)
  })
}

test.each(['copy', 'reconcile'] as const)(
  `seeds ${firstSeed} to ${lastSeed}: %s`,
  { timeout: 120_000 },
  async (how) => {
    for (let seed = firstSeed; seed <= lastSeed; seed++) {
      try {
        await life(seed, how)
      } catch (error) {
        const replay = `HDDS_COPY_SEEDS=${seed}-${seed} npx vitest run hdds/test/copy/programs.test.ts -t ${how}`
        throw new Error(`replay with ${replay}`, { cause: error })
      }
    }
    expect(lastSeed).toBeGreaterThanOrEqual(firstSeed)
  },
)
