/** A datanode in the process against the same one over loopback: `npx vitest bench hdds`. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@o3/common/env/node'
import { openLevelKv } from '@o3/common/kv/level'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import { afterAll, bench, describe } from 'vitest'
import type { Datanode } from '../api/api.ts'
import { RemoteDatanode } from '../client/client.ts'
import { KeyRing, Vouching } from '@o3/scm/tokens'
import { defaultHddsConfig } from '../config.ts'
import { copyTokens } from '../service/copy-tokens.ts'
import { openDatanode } from '../service/open-datanode.ts'
import { openVerifyPool } from '../storage/verify-pool.ts'
import { datanodeRpcLimits, serveDatanode } from './rpc.ts'

const KiB = 1024
const MiB = 1024 * KiB
const root = mkdtempSync(join(tmpdir(), 'o3-hdds-bench-'))
const env = nodeEnv()
const verifier = openVerifyPool()
const local = await openDatanode({
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
const key = { id: 1, secret: new Uint8Array(32).fill(1), activeFromMs: 0, expiresMs: Number.MAX_SAFE_INTEGER }
const scm = { secretKeys: () => Promise.resolve({ keys: [key], refreshMs: 3_600_000 }) }
const vouching = new Vouching({ keys: new KeyRing({ scm, clock: env.clock, log: nullLogger }), clock: env.clock })
await vouching.keys.ready()
const server = new RpcServer<unknown>({
  ...env,
  log: nullLogger,
  methods: serveDatanode(local, { clock: env.clock, tokens: vouching }),
  authentication: trustedServer,
  limits: datanodeRpcLimits,
})
const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })
const remote = new RemoteDatanode({
  env,
  id: 'dn-1',
  address,
  authentication: trustedClient,
  tokenFor: copyTokens(() => vouching, env.clock),
})

afterAll(async () => {
  remote.close()
  await server.close(0)
  await local.close()
  await verifier.close()
  rmSync(root, { recursive: true, force: true })
})

const small = new Uint8Array(4 * KiB).fill(7)
const chunk = new Uint8Array(MiB).fill(9)
const atATime = 32
let lastLocal = 0
const nextBlock = () => ({ container: 1, local: ++lastLocal })
const sides: readonly (readonly [string, Datanode])[] = [
  ['in the process', local],
  ['over loopback', remote],
]

const writeLarge = async (datanode: Datanode) => {
  const block = nextBlock()
  const writer = await datanode.openWriter(block)
  for (let i = 0; i < 8; i++) await writer.write([chunk])
  await writer.commit()
  return block
}

const smallBlock = nextBlock()
await local.writeBlock(smallBlock, [small])
const largeBlock = await writeLarge(local)

describe(`${atATime} writes of 4 KiB at a time`, () => {
  for (const [name, datanode] of sides) {
    bench(name, async () => {
      await Promise.all(Array.from({ length: atATime }, () => datanode.writeBlock(nextBlock(), [small])))
    })
  }
})

describe(`${atATime} reads of 4 KiB at a time`, () => {
  for (const [name, datanode] of sides) {
    bench(name, async () => {
      const read = () => datanode.readSmall(smallBlock, { offset: 0, length: small.length })
      await Promise.all(Array.from({ length: atATime }, read))
    })
  }
})

describe('a write of 8 MiB', () => {
  for (const [name, datanode] of sides) {
    bench(name, async () => {
      await writeLarge(datanode)
    })
  }
})

describe('a read of 8 MiB', () => {
  for (const [name, datanode] of sides) {
    bench(name, async () => {
      let length = 0
      for await (const piece of datanode.read(largeBlock, { offset: 0, length: 8 * MiB })) length += piece.length
      if (length !== 8 * MiB) throw new Error('short')
    })
  }
})
