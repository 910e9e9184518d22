import type { O3Session, O3Store } from '@o3/protocol-bus/api'
import { StoreError } from '@o3/common/errors'
import { expect, test } from 'vitest'
import { settled } from './manual-clock.ts'
import { s3Client } from './s3-client.ts'

/** A store whose copies wait until they are let go. */
function withHeldCopies(store: O3Store, gate: Promise<void>): O3Store {
  return {
    session(principal) {
      const session = store.session(principal)
      const copy: O3Session['keys']['copy'] = async (...given) => {
        await gate
        return session.keys.copy(...given)
      }
      return { ...session, keys: { ...session.keys, copy } }
    },
  }
}

async function heldCopy() {
  const gate = Promise.withResolvers<void>()
  const s3 = await s3Client({ wrap: (store) => withHeldCopies(store, gate.promise) })
  await s3.ok('PUT', '/bkt')
  await s3.ok('PUT', '/bkt/src', { body: 'x' })
  const answer = s3.send('PUT', '/bkt/dst', { headers: { 'x-amz-copy-source': 'bkt/src' } })
  await settled()
  return { s3, gate, answer }
}

test('a copy that takes long keeps the connection alive with white space, and then says what came of it', async () => {
  const { s3, gate, answer } = await heldCopy()
  await s3.clock.advance(21_000) // 10 s of patience, then two breaths of 5 s
  gate.resolve()
  const { status, text } = await answer
  expect(status).toBe(200)
  expect(text).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n {2}<CopyObjectResult/)
  expect(text.match(/<\?xml/g)).toHaveLength(1)
  expect(s3.clock.pendingTimers).toBe(0)
  expect((await s3.ok('GET', '/bkt/dst')).text).toBe('x')
})

test('an error that comes late is a document in a 200, with the id of the request', async () => {
  const { s3, gate, answer } = await heldCopy()
  await s3.clock.advance(11_000)
  gate.reject(new StoreError('Busy', 'too much to do'))
  const late = await answer
  expect([late.status, late.code, late.first('RequestId')]).toEqual([200, 'SlowDown', late.header('x-amz-request-id')])
})

test('in time it is an ordinary answer, and leaves no timer behind', async () => {
  const { s3, gate, answer } = await heldCopy()
  gate.reject(new StoreError('Busy', 'too much to do'))
  expect((await answer).outcome).toBe('503 SlowDown')
  expect(s3.clock.pendingTimers).toBe(0)
})
