/**
 * Erasure coding: the code alone, a container that is encoded, and reads with all shards and without one: `npx vitest bench hdds/src/ec`.
 * Beside the times it prints megabytes of data per second of CPU, all threads together.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@o3/common/env/node'
import { openLevelKv } from '@o3/common/kv/level'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { EcPolicy } from '@o3/scm/api'
import { afterAll, bench, describe } from 'vitest'
import { defaultHddsConfig } from '../config.ts'
import { shapeOf, shardCount } from '../core/ec/ec-shape.ts'
import { openDatanode } from '../service/open-datanode.ts'
import { openVerifyPool } from '../storage/verify-pool.ts'
import { replicaSource } from './block-source.ts'
import { openCodePool } from './code-pool.ts'
import { EcReader } from './ec-reader.ts'
import { encodeContainer } from './encode-container.ts'
import { stripeMemory } from './erasure-code.ts'

const MiB = 1024 * 1024
const policies: readonly EcPolicy[] = ['rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k']
const root = mkdtempSync(join(tmpdir(), 'o3-ec-bench-'))
const env = nodeEnv()
const code = openCodePool()
const verifier = openVerifyPool()
const datanode = await openDatanode({
  env,
  disks: [join(root, 'disk')],
  clusterId: 'bench',
  datanodeId: 'dn-1',
  config: defaultHddsConfig,
  log: nullLogger,
  metrics: createMetrics(),
  verifier,
  openKv: (path) => openLevelKv(path),
})

const spent = new Map<string, { bytes: number; cpuUs: number }>()

/** Counts the CPU of the process while `action` handles so many bytes of data. */
async function counted(name: string, bytes: number, action: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage()
  await action()
  const { user, system } = process.cpuUsage(before)
  const sum = spent.get(name) ?? { bytes: 0, cpuUs: 0 }
  spent.set(name, { bytes: sum.bytes + bytes, cpuUs: sum.cpuUs + user + system })
}

afterAll(async () => {
  for (const [name, { bytes, cpuUs }] of spent) {
    process.stdout.write(`${name}: ${Math.round(bytes / cpuUs)} MB per CPU second\n`)
  }
  await datanode.close()
  await Promise.all([verifier.close(), code.close()])
  rmSync(root, { recursive: true, force: true })
})

describe('a stripe', () => {
  for (const policy of policies) {
    const shape = shapeOf(policy)
    const stripe = stripeMemory(shape, MiB).fill(7)
    const dataBytes = shape.dataShards * MiB
    bench(`encoded, ${policy}`, () => counted(`encode ${policy}`, dataBytes, () => code.encode(stripe, shape)))
    const present = Array.from({ length: shardCount(shape) }, (_, i) => i > 0)
    const holes = { present, wantedCells: shape.dataShards }
    bench(`one cell of it decoded, ${policy}`, () =>
      counted(`decode ${policy}`, dataBytes, () => code.reconstruct(stripe, shape, holes)))
  }
})

const blockBytes = 60 * MiB
const parent = { container: 1, local: 1 }
const writer = await datanode.openWriter(parent)
for (let i = 0; i < blockBytes / MiB; i++) await writer.write([new Uint8Array(MiB).fill(i)])
await writer.commit()
await datanode.closeContainer(parent.container)

let lastContainer = 100
const doors = { datanode: () => datanode }
const at = { datanode: 'dn-1', address: undefined }

async function encoded(policy: EcPolicy): Promise<readonly number[]> {
  const shards = Array.from({ length: shardCount(shapeOf(policy)) }, () => ({ container: ++lastContainer, at }))
  const source = replicaSource(datanode, parent.container)
  await encodeContainer({ container: parent.container, policy, shards }, { doors, code, clock: env.clock, source })
  return shards.map(({ container }) => container)
}

describe('a container of 60 MiB', () => {
  for (const policy of policies) {
    bench(
      `encoded, ${policy}`,
      async () => {
        let made: readonly number[] = []
        await counted(`encode-container ${policy}`, blockBytes, async () => {
          made = await encoded(policy)
        })
        for (const container of made) await datanode.deleteContainer(container)
      },
      { iterations: 5, time: 0, warmupIterations: 1, warmupTime: 0 },
    )
  }
})

for (const policy of policies) {
  const containers = await encoded(policy)
  const reader = new EcReader({ ...doors, code, clock: env.clock })
  const placeWithout = (lost: number) => {
    const shards = containers.map((container, i) => ({ container, replicas: i === lost ? [] : [at] }))
    return { container: parent.container, ec: { policy, shards } }
  }
  describe(`a read of 60 MiB, ${policy}`, () => {
    for (const [name, lost] of [
      ['with all shards', -1],
      ['without one', 1],
    ] as const) {
      const place = placeWithout(lost)
      bench(name, () =>
        counted(`read ${policy} ${name}`, blockBytes, async () => {
          let length = 0
          const pieces = reader.read(place, parent, { offset: 0, length: blockBytes })
          for await (const piece of pieces) length += piece.length
          if (length !== blockBytes) throw new Error('short')
        }),
      )
    }
  })
  describe(`4 KiB out of it, ${policy}`, () => {
    for (const [name, lost] of [
      ['with all shards', -1],
      ['without the one', 1],
    ] as const) {
      const place = placeWithout(lost)
      bench(name, async () => {
        await reader.readSmall(place, parent, { offset: MiB + 40_000, length: 4096 })
      })
    }
  })
}
