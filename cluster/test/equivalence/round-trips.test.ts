import { createHash, createHmac } from 'node:crypto'
import { nodeEnv } from '@o3/common/env/node'
import { SimDisk } from '@o3/common/env/sim'
import { MemoryKv } from '@o3/common/kv/memory'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { plugin as s3Plugin } from '@o3/plugin-s3'
import type { HttpRequest, Mount } from '@o3/protocol-bus/api'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openComposedStore } from './composed-store.ts'
import type { ComposedStore } from './composed-store.ts'
import { DistantOm } from './distant-om.ts'

/** Owns the bucket, is no administrator; then one whose rights come from the volume. */
const owner = { id: 'owner-key', secret: 'owner-secret' }
const guest = { id: 'guest-key', secret: 'guest-secret' }

let composed: ComposedStore
let om: DistantOm
let mount: Extract<Mount, { kind: 'http' }>

beforeAll(async () => {
  const env = { ...nodeEnv(), disk: new SimDisk() }
  composed = await openComposedStore({
    env,
    openKv: () => Promise.resolve(new MemoryKv()),
    away: (served) => (om = new DistantOm(served, env.random)),
  })
  const root = composed.store.session({ user: 'root', admin: true })
  for (const [user, key] of Object.entries({ owner, guest })) {
    await root.identities.createUser(user)
    await root.identities.createAccessKey(user, key)
  }
  await root.volumes.create('s3v', { owner: 'owner' })
  await root.volumes.update('s3v', { members: { guest: 'all' } })
  const { store, identities } = composed
  const instance = await s3Plugin.create(
    { store, identities, clock: env.clock, random: env.random, log: nullLogger, metrics: createMetrics() },
    s3Plugin.config({ minPartBytes: 8 }),
  )
  mount = instance.mounts[0] as Extract<Mount, { kind: 'http' }>
  for (const bucket of ['one', 'two']) expect(await send('PUT', `/${bucket}`)).toMatchObject({ status: 200 })
  for (const key of ['a', 'b'])
    expect(await send('PUT', `/one/${key}`, { body: 'text' })).toMatchObject({ status: 200 })
  // The first block is leased, and its container found.
  expect(await send('PUT', '/one/large', { body: 'x'.repeat(5_000) })).toMatchObject({ status: 200 })
})

beforeEach(() => void (om.calls.length = 0))

afterAll(() => composed.close())

interface Sent {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly by?: typeof owner
}

const look = 'om.lookup.1'
const change = 'om.execute.1'

test.each<readonly [string, string, Sent, number, readonly string[]]>([
  ['PUT', '/one/new', { body: 'text' }, 200, [look, change]],
  ['PUT', '/one/new', { body: 'x'.repeat(5_000) }, 200, [look, change]],
  ['PUT', '/one/new', { body: 'text', headers: { 'x-amz-expected-bucket-owner': 'owner' } }, 200, [look, change]],
  ['GET', '/one/a', {}, 200, [look]],
  ['GET', '/one/large', {}, 200, [look]],
  ['GET', '/one/a', { headers: { 'if-none-match': '"x"', range: 'bytes=1-2' } }, 206, [look]],
  ['HEAD', '/one/a', {}, 200, [look]],
  ['GET', '/one/none', {}, 404, [look]],
  ['GET', '/none/a', {}, 404, [look]],
  ['GET', '/one/a?tagging', {}, 200, [look]],
  ['GET', '/one?list-type=2', {}, 200, [look, 'om.listKeys.1']],
  ['GET', '/', {}, 200, [look, 'om.listBuckets.1']],
  ['HEAD', '/one', {}, 200, [look]],
  ['PUT', '/three', {}, 200, [look, change]],
  ['PUT', '/two/copy', { headers: { 'x-amz-copy-source': '/one/a' } }, 200, [look, change]],
  ['DELETE', '/one/b', {}, 204, [look, change]],
  ['POST', '/one/up?uploads', {}, 200, [look, change]],
  ['GET', '/one/a', { by: { id: 'nobody', secret: 'x' } }, 403, [look]],
  ['GET', '/one/a', { by: { ...owner, secret: 'x' } }, 403, [look]],
])('%s %s %j answers %i after %j', async (method, target, sent, status, calls) => {
  const answer = await send(method, target, sent)
  expect([answer.status, om.calls]).toEqual([status, calls])
})

test.each<readonly [string, string, Sent, readonly string[]]>([
  ['PUT', '/one/guest', { body: 'text', by: guest }, [look, change]],
  ['GET', '/one/a', { by: guest }, [look]],
])('%s %s by a member of the volume', async (method, target, sent, calls) => {
  expect(await send(method, target, sent)).toMatchObject({ status: 200 })
  expect(om.calls).toEqual(calls)
})

test('an upload', async () => {
  const begun = await send('POST', '/one/parts?uploads')
  const upload = /<UploadId>(.*)<\/UploadId>/.exec(begun.body)?.[1] ?? ''
  om.calls.length = 0
  const part = await send('PUT', `/one/parts?partNumber=1&uploadId=${upload}`, { body: 'text' })
  expect([part.status, om.calls.splice(0)]).toEqual([200, [look, change]])
  const copy = { headers: { 'x-amz-copy-source': '/one/a' } }
  expect((await send('PUT', `/one/parts?partNumber=2&uploadId=${upload}`, copy)).status).toBe(200)
  expect(om.calls.splice(0)).toEqual([look, change])
  expect((await send('GET', `/one/parts?uploadId=${upload}`)).status).toBe(200)
  expect(om.calls.splice(0)).toEqual([look, 'om.listParts.1'])
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.etag}</ETag></Part></CompleteMultipartUpload>`
  expect((await send('POST', `/one/parts?uploadId=${upload}`, { body })).status).toBe(200)
  expect(om.calls.splice(0)).toEqual([look, 'om.getParts.1', change])
})

async function send(method: string, target: string, { headers = {}, body = '', by = owner }: Sent = {}) {
  const bytes = Buffer.from(body)
  const all = { host: 's3.test', 'content-length': String(bytes.length), ...headers }
  const request: HttpRequest = {
    id: 'request',
    method,
    target,
    rawHeaders: Object.entries({ ...all, ...signature(method, target, headers, by) }).flat(),
    remoteAddress: '127.0.0.1',
    body: {
      length: bytes.length,
      all: async () => bytes,
      async *stream() {
        yield bytes
      },
    },
    signal: new AbortController().signal,
  }
  const response = await mount.handle(request)
  const pieces: Uint8Array[] = []
  if (typeof response.body === 'string' || response.body instanceof Uint8Array) pieces.push(Buffer.from(response.body))
  else if (response.body !== undefined) for await (const piece of response.body) pieces.push(new Uint8Array(piece))
  const at = response.headers.indexOf('etag')
  return {
    status: response.status,
    body: Buffer.concat(pieces).toString(),
    etag: at === -1 ? '' : (response.headers[at + 1] ?? ''),
  }
}

/** Signature version 4 in the Authorization header, of the body nothing. */
function signature(method: string, target: string, headers: Readonly<Record<string, string>>, by: typeof owner) {
  const timestamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = [timestamp.slice(0, 8), 'us-east-1', 's3', 'aws4_request']
  const amz = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-'))
  const own = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': timestamp }
  const signed = Object.entries({ host: 's3.test', ...Object.fromEntries(amz), ...own }).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )
  const names = signed.map(([name]) => name).join(';')
  const [path = '', query = ''] = target.split('?')
  const parameters = query === '' ? [] : query.split('&').map((each) => (each.includes('=') ? each : `${each}=`))
  const canonical = [
    method,
    path,
    parameters.toSorted().join('&'),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', timestamp, scope.join('/'), createHash('sha256').update(canonical).digest('hex')]
  const key = scope.reduce<Buffer | string>(
    (last, each) => createHmac('sha256', last).update(each).digest(),
    `AWS4${by.secret}`,
  )
  const hex = createHmac('sha256', key).update(toSign.join('\n')).digest('hex')
  const credential = `${by.id}/${scope.join('/')}`
  return {
    ...own,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${hex}`,
  }
}
