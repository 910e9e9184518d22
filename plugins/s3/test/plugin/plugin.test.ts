import { assert, StoreError, storeErrorCodes } from '@o3/common/errors'
import type { LogFields, Logger } from '@o3/common/logger'
import type { O3Session, O3Store } from '@o3/protocol-bus/api'
import { describe, expect, test } from 'vitest'
import { plugin } from '../../src/plugin.ts'
import { s3Client } from '../operations/s3-client.ts'

type Lines = { level: string; fields: LogFields; message: string }[]

function recorder(lines: Lines): Logger {
  const at = (level: string) => (fields: LogFields, message: string) => void lines.push({ level, fields, message })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => recorder(lines) }
}

/** A store whose reads of keys throw. */
function failing(error: () => unknown) {
  return (store: O3Store): O3Store => ({
    session(principal) {
      const session = store.session(principal)
      const get: O3Session['keys']['get'] = () => Promise.reject(error())
      return { ...session, keys: { ...session.keys, get } }
    },
  })
}

describe('the plugin', () => {
  test('has one HTTP mount where its configuration says', async () => {
    const s3 = await s3Client({ config: { host: '127.0.0.2', port: 0 } })
    expect(s3.instance.mounts).toHaveLength(1)
    expect([s3.mount.name, s3.mount.host, s3.mount.port]).toEqual(['s3', '127.0.0.2', 0])
  })

  test('refuses after it was closed, twice too', async () => {
    const s3 = await s3Client()
    await s3.instance.close()
    await s3.instance.close()
    const answer = await s3.send('GET', '/')
    expect([answer.outcome, answer.header('retry-after')]).toEqual(['503 ServiceUnavailable', '1'])
  })

  test('is configured with defaults, and names what is wrong', () => {
    expect(plugin.config({})).toEqual({
      host: '127.0.0.1',
      port: 9878,
      region: 'us-east-1',
      domains: [],
      volume: 's3v',
      minPartBytes: 5 * 1024 * 1024,
    })
    expect(plugin.config({ domains: ['s3.example.org'], minPartBytes: '1MiB' })).toMatchObject({
      domains: ['s3.example.org'],
      minPartBytes: 1024 * 1024,
    })
    for (const [raw, name] of [
      [{ prot: 1 }, 'port'],
      [{ port: 70_000 }, 'port'],
      [{ region: 'US East' }, 'region'],
      [{ domains: ['S3.example.org:80'] }, 'domains'],
    ] as const) {
      expect(() => plugin.config(raw)).toThrow(new RegExp(name))
      expect(() => plugin.config(raw)).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
    }
  })

  test('serves buckets as sub-domains of its domains', async () => {
    const s3 = await s3Client({ config: { domains: ['s3.example.org'] } })
    const host = 'photos.s3.example.org:9878'
    await s3.ok('PUT', '/', { host })
    await s3.ok('PUT', '/a/b', { host, body: 'x' })
    expect((await s3.ok('GET', '/photos/a/b')).text).toBe('x')
    const id = (await s3.ok('POST', '/up?uploads', { host })).first('UploadId')!
    const etag = (await s3.ok('PUT', `/up?partNumber=1&uploadId=${id}`, { host, body: 'y' })).header('etag')
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`
    const done = await s3.ok('POST', `/up?uploadId=${id}`, { host, body })
    expect(done.first('Location')).toBe(`http://${host}/up`)
  })
})

describe('what the host refuses is said in S3’s words', () => {
  test.each([
    [400, '400 InvalidRequest'],
    [408, '400 RequestTimeout'],
    [413, '400 EntityTooLarge'],
    [417, '400 InvalidRequest'],
    [429, '503 SlowDown'],
    [431, '400 RequestHeaderSectionTooLarge'],
    [500, '500 InternalError'],
    [501, '501 NotImplemented'],
    [503, '503 ServiceUnavailable'],
  ])('%i: %s', async (status, outcome) => {
    const s3 = await s3Client()
    const response = s3.mount.refuse!(status, 'the reason', 'request-9')
    expect(`${response.status} ${/<Code>(\w+)</.exec(String(response.body))![1]}`).toBe(outcome)
    expect(response.headers).toContain('request-9')
    if (outcome.endsWith('InvalidRequest')) expect(response.body).toContain('<Message>the reason</Message>')
  })
})

describe('errors', () => {
  test.each(storeErrorCodes.filter((code) => code !== 'NotModified'))(
    '%s of the store is an error of S3',
    async (code) => {
      const s3 = await s3Client({ wrap: failing(() => new StoreError(code, 'secret details of it')) })
      await s3.ok('PUT', '/bkt')
      const answer = await s3.send('GET', '/bkt/k')
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.code).toMatch(/^[A-Z][A-Za-z0-9]+$/)
    },
  )

  test('of the server are logged with their cause, and told without it', async () => {
    const lines: Lines = []
    const cause = new TypeError('undefined is not a function')
    const s3 = await s3Client({ wrap: failing(() => cause), log: recorder(lines) })
    await s3.ok('PUT', '/bkt')
    const answer = await s3.send('GET', '/bkt/k')
    expect(answer.outcome).toBe('500 InternalError')
    expect(answer.text).not.toContain('undefined')
    const [line] = lines.filter(({ level }) => level === 'error')
    expect(line!.fields['request']).toBe(answer.header('x-amz-request-id'))
    expect((line!.fields['error'] as StoreError).cause).toBe(cause)
  })

  test('a bug stops what it happened in and is not answered by us', async () => {
    const bug = () => {
      try {
        assert(false, 'a bug')
      } catch (error) {
        return error
      }
    }
    const s3 = await s3Client({ wrap: failing(bug) })
    await s3.ok('PUT', '/bkt')
    await expect(s3.send('GET', '/bkt/k')).rejects.toThrow('a bug')
  })
})

describe('what is counted and logged', () => {
  test('requests, bytes and errors, by operation', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/bkt')
    await s3.ok('PUT', '/bkt/k', { body: 'hello' })
    await s3.ok('GET', '/bkt/k')
    await s3.send('HEAD', '/bkt/k')
    await s3.send('GET', '/bkt/missing')
    await s3.send('GET', '/bkt?acl')
    const lines = s3.metrics.render().split('\n')
    for (const line of [
      'o3_s3_requests_total{operation="PutObject",outcome="ok"} 1',
      'o3_s3_requests_total{operation="GetObject",outcome="ok"} 1',
      'o3_s3_requests_total{operation="GetObject",outcome="refused"} 1',
      'o3_s3_requests_total{operation="none",outcome="refused"} 1',
      'o3_s3_received_bytes_total{operation="PutObject"} 5',
      'o3_s3_sent_bytes_total{operation="HeadObject"} 0',
      'o3_s3_errors_total{code="NoSuchKey"} 1',
      'o3_s3_request_seconds_count{operation="GetObject"} 2',
    ]) {
      expect(lines).toContain(line)
    }
  })

  test('each request, for those who look closely', async () => {
    const lines: Lines = []
    const s3 = await s3Client({ log: recorder(lines) })
    await s3.ok('PUT', '/bkt')
    await s3.send('GET', '/bkt/k?x-amz-foo=1')
    const { fields } = lines.at(-1)!
    expect(fields).toMatchObject({
      operation: 'GetObject',
      bucket: 'bkt',
      key: 'k',
      user: 'admin',
      status: 404,
      code: 'NoSuchKey',
    })
  })
})
