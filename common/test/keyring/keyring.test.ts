import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKeyring, sealingKeyBytes } from '../../src/keyring/keyring.ts'

const random = { bytes: (length: number): Uint8Array => new Uint8Array(randomBytes(length)) }
const key = (fill: number): Uint8Array => new Uint8Array(sealingKeyBytes).fill(fill)
const ring = createKeyring({ current: key(1) }, random)

test('a sealed secret opens, and shows nothing of itself', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ unit: 'binary', minLength: 8 }), (id, secret) => {
      const sealed = ring.seal(id, secret)
      expect(ring.unseal(id, sealed)).toBe(Buffer.from(secret).toString())
      expect(Buffer.from(sealed).includes(Buffer.from(secret))).toBe(false)
    }),
  )
})

test('sealing twice gives different bytes', () => {
  expect(ring.seal('id', 'secret')).not.toEqual(ring.seal('id', 'secret'))
})

test('any byte that was changed is found out', () => {
  const sealed = ring.seal('id', 'a secret of some length')
  for (let i = 0; i < sealed.length; i++) {
    const changed = new Uint8Array(sealed)
    changed[i] = (changed[i] as number) ^ 1
    expect(() => ring.unseal('id', changed)).toThrow(expect.objectContaining({ code: 'Damaged' }))
  }
})

describe('a sealed secret does not open', () => {
  const sealed = ring.seal('id', 'secret')
  const damaged = expect.objectContaining({ code: 'Damaged', details: expect.objectContaining({ id: 'id' }) })
  test('for another access key', () => {
    expect(() => ring.unseal('other', sealed)).toThrow('cannot be opened')
  })
  test('under another key', () => {
    expect(() => createKeyring({ current: key(2) }, random).unseal('id', sealed)).toThrow(damaged)
  })
  test.each([0, 1, 16, 32])('cut to %d bytes', (length) => {
    expect(() => ring.unseal('id', sealed.subarray(0, length))).toThrow(damaged)
  })
})

test('what an older key sealed still opens after a change of keys', () => {
  const sealed = ring.seal('id', 'secret')
  const changed = createKeyring({ current: key(2), older: [key(1)] }, random)
  expect(changed.unseal('id', sealed)).toBe('secret')
  expect(changed.unseal('id', changed.seal('id', 'new'))).toBe('new')
  expect(() => ring.unseal('id', changed.seal('id', 'new'))).toThrow('cannot be opened')
})

test('a key of another length is a bug', () => {
  expect(() => createKeyring({ current: new Uint8Array(16) }, random)).toThrow('32 bytes')
})
