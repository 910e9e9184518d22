import { describe, expect, test } from 'vitest'
import { hmac } from '../../src/access/hmac.ts'
import { isSignedProof, lackOfProof, maxProofBytes, readProof, signProof } from '../../src/core/block-proof.ts'
import type { BlockProof, ProvenBlock } from '../../src/core/block-proof.ts'

const key = { id: 3, secret: new Uint8Array(32).fill(9) }
const proven: ProvenBlock = { block: { container: 2 ** 40 + 5, local: 2 ** 32 - 1 }, lengthBytes: 1_000_000 }
const said: Omit<BlockProof, 'keyId'> = { kind: 'stored', datanode: 'dn-1', checksum: 0x8765_4321 }

test('a proof says who has it, and its bytes are always these', () => {
  const bytes = signProof(proven, said, key, hmac)
  expect(Buffer.from(bytes).toString('hex')).toMatchInlineSnapshot(
    `"210203000000214365878a275021fea583a7261ef49d0096923704646e2d31"`,
  )
  expect(readProof(bytes)).toEqual({ ...said, keyId: 3 })
  expect(isSignedProof(bytes, proven, key, hmac)).toBe(true)
})

test.each([{ kind: 'agreed' as const }, { checksum: undefined }, { datanode: '日本' }])('%o survives', (other) => {
  const bytes = signProof(proven, { ...said, ...other }, key, hmac)
  expect(readProof(bytes)).toEqual({ ...said, ...other, keyId: 3 })
  expect(isSignedProof(bytes, proven, key, hmac)).toBe(true)
})

test('each of its bits counts', () => {
  const good = signProof(proven, said, key, hmac)
  for (let bit = 0; bit < 8 * good.length; bit++) {
    const bad = good.slice()
    bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
    const isBelieved = readProof(bad) !== undefined && isSignedProof(bad, proven, key, hmac)
    expect(isBelieved, `bit ${bit}`).toBe(false)
  }
})

test.each<[string, ProvenBlock]>([
  ['another container', { ...proven, block: { ...proven.block, container: 5 } }],
  ['another block', { ...proven, block: { ...proven.block, local: 1 } }],
  ['another length', { ...proven, lengthBytes: 999_999 }],
])('it is not for %s', (_, other) => {
  expect(isSignedProof(signProof(proven, said, key, hmac), other, key, hmac)).toBe(false)
})

test('what is cut, or longer than a proof can be, is none', () => {
  const good = signProof(proven, said, key, hmac)
  for (let length = 0; length < good.length; length++) expect(readProof(good.subarray(0, length))).toBeUndefined()
  expect(readProof(new Uint8Array([...good, 0]))).toBeUndefined()
  expect(readProof(signProof(proven, { ...said, datanode: 'd'.repeat(maxProofBytes) }, key, hmac))).toBeUndefined()
})

describe('enough for', () => {
  const by = (datanode: string, other: Partial<BlockProof> = {}): BlockProof => ({
    ...said,
    keyId: 3,
    datanode,
    ...other,
  })
  test.each<[Parameters<typeof lackOfProof>[1], readonly BlockProof[], string | undefined]>([
    ['RATIS/ONE', [], '0 of 1'],
    ['RATIS/ONE', [by('a')], undefined],
    ['RATIS/THREE', [by('a')], '1 of 2'],
    ['RATIS/THREE', [by('a'), by('a')], '1 of 2'],
    ['RATIS/THREE', [by('a'), by('b')], undefined],
    ['RATIS/THREE', [by('a', { kind: 'agreed' })], undefined],
    ['RATIS/THREE', [by('a'), by('b', { checksum: 1 })], 'different bytes'],
    ['RATIS/THREE', [by('a', { kind: 'agreed' }), by('b', { checksum: 1 })], 'different bytes'],
    ['RATIS/THREE', [by('a'), by('b', { checksum: undefined })], undefined],
    ['EC/rs-6-3-1024k', [by('a')], '1 of 2'],
    ['EC/rs-6-3-1024k', [by('a'), by('c')], undefined],
  ])('%s: %j', (replication, proofs, lack) => {
    const found = lackOfProof(proofs, replication)
    if (lack === undefined) expect(found).toBeUndefined()
    else expect(found).toContain(lack)
  })
})
