import { Graph } from '@o3/common/di'
import { loadConfig } from '@o3/common/config'
import { ChunkPool } from '@o3/common/digest/chunks'
import { DigestPool } from '@o3/common/digest/pool'
import { nodeEnv } from '@o3/common/env/node'
import { nullLogger } from '@o3/common/logger'
import type { OmClient } from '@o3/om/api'
import { expect, test } from 'vitest'
import { defaultHttpLimits } from '../src/host/host.ts'
import {
  BUS_BLOCKS,
  BUS_CHUNKS,
  BUS_CONFIG,
  BUS_DIGESTS,
  BUS_ENV,
  BUS_KEYRING,
  BUS_LOG,
  BUS_OM,
  BUS_SCM,
  IDENTITIES,
  STORE,
  chunkSizeBytes,
  hostSection,
  httpLimitsOf,
  installProtocolBus,
  maxChunksOf,
  storeConfigOf,
  storeSection,
} from '../src/module.ts'
import { createKeyring } from '../src/store/store.ts'
import { MemoryBlocks, MemoryLeases } from './store/memory-blocks.ts'

test('the parts come together, and apart again, twice', async () => {
  for (let i = 0; i < 2; i++) {
    const env = nodeEnv()
    const digests = new DigestPool()
    const { values } = loadConfig({ store: storeSection }, {})
    const graph = new Graph()
      .value(BUS_ENV, env)
      .value(BUS_LOG, nullLogger)
      .value(BUS_CONFIG, storeConfigOf(values.store, 'RATIS/ONE'))
      .value(BUS_OM, new MemoryLeases(() => env.clock.wallMs()) as unknown as OmClient)
      .value(BUS_BLOCKS, new MemoryBlocks())
      .value(BUS_SCM, { summary: rejected, listNodes: rejected, listContainers: rejected })
      .value(BUS_KEYRING, createKeyring({ current: new Uint8Array(32) }, env.random))
      .value(BUS_CHUNKS, new ChunkPool({ chunkSizeBytes, maxChunks: maxChunksOf(values.store) }))
      .value(BUS_DIGESTS, digests)
    installProtocolBus(graph)
    for (const token of graph.tokens()) expect(graph.get(token)).toBeDefined()
    expect(graph.get(IDENTITIES)).toBe(graph.get(IDENTITIES))
    await graph.get(STORE).close()
    await digests.close()
  }
})

test('the settings that nobody changes are the defaults of the host', () => {
  const { values } = loadConfig({ host: hostSection }, {})
  expect(httpLimitsOf(values.host)).toEqual(defaultHttpLimits)
})

test('a block holds whole chunks', () => {
  const file = { name: 'test', text: 'store: { blockSize: 1500KiB, memory: 10MiB }' }
  const { values } = loadConfig({ store: storeSection }, { file })
  expect(storeConfigOf(values.store, 'RATIS/ONE').blockBytes).toBe(3 * chunkSizeBytes)
  expect(maxChunksOf(values.store)).toBe(20)
})

function rejected(): Promise<never> {
  return Promise.reject(new Error('not used'))
}
