/** What a token and a proof cost OM, beside the lookup and the commit that they belong to. `npx vitest bench om/src/service`. */

import { nodeEnv } from '@o3/common/env/node'
import { nullLogger } from '@o3/common/logger'
import { KeyRing, Vouching, anyLength } from '@o3/scm/tokens'
import { bench, describe } from 'vitest'
import { defaultOmConfig } from '../config.ts'
import type { Content, Key } from '../api/api.ts'
import { BlockAccess } from './block-access.ts'

const { clock } = nodeEnv()
const signing = { id: 1, secret: new Uint8Array(32).fill(1), activeFromMs: 0, expiresMs: Number.MAX_SAFE_INTEGER }
const scm = { secretKeys: () => Promise.resolve({ keys: [signing], refreshMs: 3_600_000 }) }
const keys = new KeyRing({ scm, clock, log: nullLogger })
await keys.ready()
const access = new BlockAccess({ keys, clock, config: defaultOmConfig, store: { get: () => undefined } })
const vouching = new Vouching({ keys, clock })

/** In so many runs. */
function keyOf(runs: number): Key {
  const segments = Array.from({ length: runs }, (_, n) => {
    return { kind: 'block' as const, block: { container: 7, local: 1 + 2 * n }, offset: 0, length: 5 }
  })
  const content: Content = { kind: 'blocks', segments }
  return {
    name: 'key',
    etag: 'e',
    headers: {},
    metadata: {},
    tags: {},
    size: 5 * runs,
    modifiedMs: 0,
    owner: 'ann',
    updateId: 1,
    content,
  }
}

const [one, sixteen] = [keyOf(1), keyOf(16)]
const run = { container: 7, firstLocal: 3, count: 1 }
const token = vouching.token({ ...run, mode: 'READ', maxBytes: anyLength, expiresMs: clock.wallMs() + 1e9 }, signing)
const proven = { block: { container: 7, local: 3 }, lengthBytes: 5 }
const proof = vouching.proof(proven, { kind: 'stored', datanode: 'a datanode of some name', checksum: 5 }, signing)
const others = Array.from({ length: 8_192 }, (_, n) => {
  const expiresMs = clock.wallMs() + 1e9 + 1000 * n
  return vouching.token({ ...run, mode: 'READ', maxBytes: anyLength, expiresMs }, signing)
})
let turn = 0

describe('tokens and proofs', () => {
  bench('tokens of a key of one run', () => void access.readable(one))
  bench('tokens of a key of 16 runs', () => void access.readable(sixteen))
  bench('a token that was seen before', () => void vouching.admit(token, { ...run, modes: ['READ', 'COPY'] }))
  bench('a token that is new', () => {
    void vouching.admit(others[turn++ % others.length], { ...run, modes: ['READ', 'COPY'] })
  })
  bench('a proof is signed', () => {
    vouching.proof(proven, { kind: 'stored', datanode: 'a datanode of some name', checksum: 5 }, signing)
  })
  bench('a proof is checked', () => void vouching.lack(proven, [proof], 'RATIS/ONE'))
})
