import { createHash } from 'node:crypto'
import { nodeEnv } from '@o3/common/env/node'
import { referenceStore } from '@o3/protocol-bus/testing'
import { expect, test } from 'vitest'
import { putParts } from '../src/shell/put-parts.ts'

const ref = { volume: 's3v', bucket: 'large', key: 'file' }
const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251))
const attributes = { headers: {}, metadata: { by: 'me' }, tags: {} }

async function bucketSession() {
  const session = referenceStore(nodeEnv()).store.session({ user: 'admin', admin: true })
  await session.buckets.create(ref)
  return session
}

async function* slice(start: number, end: number): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(start, end)
}

test('a large file becomes one key, with the ETag that S3 would give it', async () => {
  const session = await bucketSession()
  const body = { size: 1000, open: slice, attributes, preconditions: {} }
  const { etag, size } = await putParts(session, ref, body, 400)
  const md5 = (part: Uint8Array): Buffer => createHash('md5').update(part).digest()
  const parts = [bytes.subarray(0, 400), bytes.subarray(400, 800), bytes.subarray(800)]
  expect({ etag, size }).toEqual({ etag: `${md5(Buffer.concat(parts.map(md5))).toString('hex')}-3`, size: 1000 })
  const { body: stored, info } = await session.keys.get(ref)
  expect(Buffer.compare(stored.bytes as Uint8Array, bytes)).toBe(0)
  expect(info.metadata).toEqual({ by: 'me' })
})

test('one that breaks off leaves nothing', async () => {
  const session = await bucketSession()
  async function* breaking(start: number, end: number): AsyncGenerator<Uint8Array> {
    if (start > 0) throw new Error('the file is gone')
    yield* slice(start, end)
  }
  const body = { size: 1000, open: breaking, attributes, preconditions: {} }
  await expect(putParts(session, ref, body, 400)).rejects.toThrow('the file is gone')
  expect(await session.buckets.info(ref)).toMatchObject({ usage: { bytes: 0, keys: 0 }, uploads: 0 })
})
