import { describe, expect, test } from 'vitest'
import {
  anyLength,
  allBlocks,
  isSignedToken,
  judgeToken,
  readToken,
  signToken,
  tokenBytes,
} from '../../src/core/block-token.ts'
import type { BlockDeed, BlockToken } from '../../src/core/block-token.ts'
import { hmac } from '../../src/access/hmac.ts'

const key = { id: 3, secret: new Uint8Array(32).fill(9) }
const token: Omit<BlockToken, 'keyId'> = {
  mode: 'WRITE',
  container: 2 ** 40 + 5,
  firstLocal: 100,
  count: 10,
  maxBytes: 1024,
  expiresSeconds: 1_800_000_000,
}
const beforeMs = token.expiresSeconds * 1000

test('a token has 46 bytes, and they are always these', () => {
  const bytes = signToken(token, key, hmac)
  expect(bytes).toHaveLength(tokenBytes)
  expect(Buffer.from(bytes).toString('hex')).toMatchInlineSnapshot(
    `"11000000036b49d200010000010000000005000000640000000a00000400fa967a162399973a40de1985c175cae3"`,
  )
  expect(readToken(bytes)).toEqual({ ...token, keyId: 3 })
  expect(isSignedToken(bytes, key, hmac)).toBe(true)
})

test('each of its bits counts', () => {
  const good = signToken(token, key, hmac)
  for (let bit = 0; bit < 8 * tokenBytes; bit++) {
    const bad = good.slice()
    bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
    const isBelieved = readToken(bad) !== undefined && isSignedToken(bad, key, hmac)
    expect(isBelieved, `bit ${bit}`).toBe(false)
  }
})

test('what is shorter or longer is none', () => {
  const good = signToken(token, key, hmac)
  for (let length = 0; length < tokenBytes; length++) expect(readToken(good.subarray(0, length))).toBeUndefined()
  expect(readToken(new Uint8Array([...good, 0]))).toBeUndefined()
})

test('another key did not sign it, nor one of the same id with another secret', () => {
  const good = signToken(token, key, hmac)
  expect(isSignedToken(good, { secret: new Uint8Array(32).fill(8) }, hmac)).toBe(false)
})

describe('a genuine token', () => {
  const deed: BlockDeed = { modes: ['WRITE'], container: token.container, firstLocal: 100, count: 10 }
  const read: BlockToken = { ...token, keyId: 3 }
  test.each<[string, BlockDeed, number, string | undefined]>([
    ['allows what it is for', deed, beforeMs, undefined],
    ['allows a part of it', { ...deed, firstLocal: 109, count: 1 }, beforeMs, undefined],
    ['is good for all of its last second', deed, beforeMs + 999, undefined],
    ['is not good after it', deed, beforeMs + 1000, 'expired'],
    ['is not for a block before', { ...deed, firstLocal: 99, count: 1 }, beforeMs, 'other blocks'],
    ['is not for a block behind', { ...deed, firstLocal: 110, count: 1 }, beforeMs, 'other blocks'],
    ['is not for more than it says', { ...deed, count: 11 }, beforeMs, 'other blocks'],
    ['is not for another container', { ...deed, container: 5 }, beforeMs, 'other blocks'],
    ['is not for a container as a whole', { ...deed, ...allBlocks }, beforeMs, 'other blocks'],
    ['is not for another deed', { ...deed, modes: ['READ', 'COPY'] }, beforeMs, 'WRITE token'],
  ])('%s', (_, asked, nowMs, refused) => {
    const refusal = judgeToken(read, asked, nowMs)
    if (refused === undefined) expect(refusal).toBeUndefined()
    else expect(refusal).toMatchObject({ code: 'AccessDenied', message: expect.stringContaining(refused) as string })
  })

  test('of all blocks is for each of them', () => {
    const whole: BlockToken = { ...read, ...allBlocks, mode: 'COPY', maxBytes: anyLength }
    for (const firstLocal of [1, 2 ** 32 - 1]) {
      expect(judgeToken(whole, { ...deed, modes: ['COPY'], firstLocal, count: 1 }, beforeMs)).toBeUndefined()
    }
    expect(judgeToken(whole, { ...deed, ...allBlocks, modes: ['COPY'] }, beforeMs)).toBeUndefined()
  })
})
