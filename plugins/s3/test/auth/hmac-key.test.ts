import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HmacKey } from '../../src/auth/hmac-key.ts'

// RFC 4231, test case 2.
test('is HMAC-SHA256', () => {
  const key = new HmacKey(Buffer.from('Jefe'))
  expect(key.sign('what do ya want for nothing?')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
})

test('of any key and any text, one after the other', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
  fc.assert(
    fc.property(bytes(64), fc.array(bytes(3000), { minLength: 1, maxLength: 4 }), (key, texts) => {
      const hmac = new HmacKey(key)
      for (const text of texts) {
        expect(hmac.sign(Buffer.from(text).toString('latin1'))).toBe(
          createHmac('sha256', key).update(text).digest('hex'),
        )
      }
    }),
  )
})
