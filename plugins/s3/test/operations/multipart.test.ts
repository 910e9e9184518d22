import { createHash } from 'node:crypto'
import { digestOf } from '@o3/common/digest/node'
import type { ChecksumAlgorithm } from '@o3/protocol-bus/api'
import { beforeEach, describe, expect, test } from 'vitest'
import { s3Client } from './s3-client.ts'
import type { Answer, S3Client } from './s3-client.ts'

let s3: S3Client
beforeEach(async () => {
  s3 = await s3Client() // parts of 8 bytes at least
  await s3.ok('PUT', '/bkt')
})

const first = 'first part,'
const second = 'second part'
const last = '!'

const md5 = (bytes: string | Uint8Array): Buffer => createHash('md5').update(bytes).digest()
const base64 = (algorithm: ChecksumAlgorithm, bytes: string | Uint8Array): string =>
  Buffer.from(digestOf(algorithm, Buffer.from(bytes))).toString('base64')

async function start(headers: Record<string, string> = {}, key = 'k'): Promise<string> {
  return (await s3.ok('POST', `/bkt/${key}?uploads`, { headers })).first('UploadId')!
}

async function part(id: string, number: number, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return s3.ok('PUT', `/bkt/k?partNumber=${number}&uploadId=${id}`, { body, headers })
}

interface Named {
  readonly number: number
  readonly etag: string
  readonly checksum?: string
}

function complete(id: string, parts: readonly Named[], headers: Record<string, string> = {}): Promise<Answer> {
  const rows = parts.map(
    ({ number, etag, checksum = '' }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${etag.replaceAll('"', '&quot;')}</ETag>${checksum}</Part>`,
  )
  const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rows.join('')}</CompleteMultipartUpload>`
  return s3.send('POST', `/bkt/k?uploadId=${id}`, { body, headers })
}

async function upload(id: string, ...bodies: string[]): Promise<Named[]> {
  const named: Named[] = []
  for (const [i, body] of bodies.entries()) {
    named.push({ number: i + 1, etag: (await part(id, i + 1, body)).header('etag')! })
  }
  return named
}

describe('an upload in parts', () => {
  test('becomes one object, with what was said of it at the start', async () => {
    const id = await start({ 'content-type': 'text/plain', 'x-amz-meta-a': '1', 'x-amz-tagging': 't=1' })
    const named = await upload(id, first, second, last)
    expect((await s3.send('GET', '/bkt/k')).outcome).toBe('404 NoSuchKey')
    const done = await complete(id, named)
    const etag = `"${md5(Buffer.concat([md5(first), md5(second), md5(last)])).toString('hex')}-3"`
    expect([done.status, done.first('ETag'), done.first('Bucket'), done.first('Key')]).toEqual([200, etag, 'bkt', 'k'])
    expect(done.first('Location')).toBe('http://s3.test:9878/bkt/k')
    const got = await s3.ok('GET', '/bkt/k')
    expect([got.text, got.header('etag'), got.header('content-type')]).toEqual([
      first + second + last,
      etag,
      'text/plain',
    ])
    expect([got.header('x-amz-meta-a'), got.header('x-amz-tagging-count')]).toEqual(['1', '1'])
    expect((await s3.send('GET', `/bkt/k?uploadId=${id}`)).outcome).toBe('404 NoSuchUpload')
  })

  test('answers its repetition the same', async () => {
    const id = await start()
    const named = await upload(id, first, last)
    const [once, again] = [await complete(id, named), await complete(id, named)]
    expect([again.status, again.first('ETag')]).toEqual([200, once.first('ETag')])
  })

  test('is read part by part', async () => {
    const id = await start()
    await complete(id, await upload(id, first, second, last))
    const at = first.length
    const got = await s3.ok('GET', '/bkt/k?partNumber=2')
    expect([got.status, got.text, got.header('x-amz-mp-parts-count')]).toEqual([206, second, '3'])
    expect(got.header('content-range')).toBe(
      `bytes ${at}-${at + second.length - 1}/${first.length + second.length + 1}`,
    )
    const head = await s3.ok('HEAD', '/bkt/k?partNumber=3')
    expect([head.status, head.header('content-length'), head.header('x-amz-mp-parts-count')]).toEqual([206, '1', '3'])
    expect((await s3.send('GET', '/bkt/k?partNumber=4')).outcome).toBe('416 InvalidPartNumber')
    expect((await s3.ok('GET', '/bkt/k')).header('x-amz-mp-parts-count')).toBeUndefined()
  })

  test('takes the parts that are named, under whatever numbers, the last one sent of each', async () => {
    const id = await start()
    await part(id, 7, 'the wrong bytes')
    const seven = (await part(id, 7, first)).header('etag')!
    await part(id, 8, 'left out, left out')
    const nine = (await part(id, 9, last)).header('etag')!
    expect(
      (
        await complete(id, [
          { number: 7, etag: seven },
          { number: 9, etag: nine },
        ])
      ).status,
    ).toBe(200)
    expect((await s3.ok('GET', '/bkt/k')).text).toBe(first + last)
    expect((await s3.ok('GET', '/bkt/k?partNumber=9')).text).toBe(last)
  })

  test.each<[string, (named: Named[]) => Named[], string]>([
    ['in the wrong order', (named) => named.toReversed(), 'InvalidPartOrder'],
    ['twice', (named) => [named[0]!, named[0]!], 'InvalidPartOrder'],
    ['that are not there', (named) => [...named, { number: 9, etag: named[0]!.etag }], 'InvalidPart'],
    ['with another ETag', (named) => [{ ...named[0]!, etag: '"00"' }, named[1]!], 'InvalidPart'],
    ['that are none', () => [], 'MalformedXML'],
    ['numbered 0', (named) => [{ ...named[0]!, number: 0 }], 'InvalidArgument'],
  ])('is not made of parts %s', async (_, change, code) => {
    const id = await start()
    const named = await upload(id, first, second)
    expect((await s3.send('POST', `/bkt/k?uploadId=${id}`)).outcome).toBe('400 MalformedXML')
    const answer = await complete(id, change(named))
    expect(answer.outcome).toBe(`400 ${code}`)
    expect((await s3.send('GET', '/bkt/k')).outcome).toBe('404 NoSuchKey')
    expect((await complete(id, named)).status).toBe(200)
  })

  test('refuses a part that is too small, unless it is the last', async () => {
    const id = await start()
    const answer = await complete(id, await upload(id, 'small', last))
    expect(answer.outcome).toBe('400 EntityTooSmall')
    expect([answer.first('ProposedSize'), answer.first('MinSizeAllowed'), answer.first('PartNumber')]).toEqual([
      '5',
      '8',
      '1',
    ])
  })

  test('minds conditions when it is completed', async () => {
    await s3.ok('PUT', '/bkt/k', { body: 'old' })
    const id = await start()
    const named = await upload(id, first)
    expect((await complete(id, named, { 'if-none-match': '*' })).outcome).toBe('412 PreconditionFailed')
    expect((await complete(id, named, { 'if-match': '"other"' })).outcome).toBe('412 PreconditionFailed')
    expect((await complete(id, named, { 'if-match': `"${md5('old').toString('hex')}"` })).outcome).toBe('200')
  })

  test('is as large as its writer says', async () => {
    const id = await start()
    const named = await upload(id, first, last)
    const size = (bytes: string) => complete(id, named, { 'x-amz-mp-object-size': bytes })
    expect((await size('5')).outcome).toBe('400 InvalidRequest')
    expect((await size('many')).outcome).toBe('400 InvalidArgument')
    expect((await size(String(first.length + 1))).outcome).toBe('200')
  })

  test('goes when it is aborted, and is unknown then', async () => {
    const id = await start()
    const named = await upload(id, first)
    expect((await s3.send('DELETE', `/bkt/k?uploadId=${id}`)).outcome).toBe('204')
    for (const answer of [
      await s3.send('DELETE', `/bkt/k?uploadId=${id}`),
      await s3.send('PUT', `/bkt/k?partNumber=1&uploadId=${id}`, { body: first }),
      await s3.send('GET', `/bkt/k?uploadId=${id}`),
      await complete(id, named),
    ]) {
      expect([answer.outcome, answer.first('UploadId')]).toEqual(['404 NoSuchUpload', id])
    }
  })

  test.each(['0', '10001', 'one', '-1', '1.5', ''])('has no part %s', async (number) => {
    const id = await start()
    const answer = await s3.send('PUT', `/bkt/k?partNumber=${number}&uploadId=${id}`, { body: first })
    expect(answer.outcome).toBe('400 InvalidArgument')
  })

  test('is nobody else’s', async () => {
    const id = await start()
    expect((await s3.send('PUT', `/bkt/k?partNumber=1&uploadId=${id}`, { body: first, as: 'bob' })).outcome).toBe(
      '403 AccessDenied',
    )
    expect((await s3.send('POST', '/bkt/k?uploads', { as: 'bob' })).outcome).toBe('403 AccessDenied')
    expect((await s3.send('PUT', `/bkt/another-key?partNumber=1&uploadId=${id}`, { body: first })).outcome).toBe(
      '404 NoSuchUpload',
    )
  })
})

describe('checksums of an upload', () => {
  test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)(
    '%s, COMPOSITE: of the checksums of the parts',
    async (name) => {
      const algorithm = name.toLowerCase() as ChecksumAlgorithm
      const started = await s3.ok('POST', '/bkt/k?uploads', { headers: { 'x-amz-checksum-algorithm': name } })
      expect([started.header('x-amz-checksum-algorithm'), started.header('x-amz-checksum-type')]).toEqual([
        name,
        'COMPOSITE',
      ])
      const id = started.first('UploadId')!
      const header = `x-amz-checksum-${algorithm}`
      const element = `Checksum${name}`
      const named: Named[] = []
      for (const [i, body] of [first, last].entries()) {
        const value = base64(algorithm, body)
        const answer = await part(id, i + 1, body, { [header]: value })
        expect(answer.header(header)).toBe(value)
        named.push({ number: i + 1, etag: answer.header('etag')!, checksum: `<${element}>${value}</${element}>` })
      }
      const parts = Buffer.concat([first, last].map((body) => Buffer.from(base64(algorithm, body), 'base64')))
      const whole = base64(algorithm, parts)
      expect((await complete(id, named, { [header]: base64(algorithm, 'other') })).outcome).toBe('400 BadDigest')
      const done = await complete(id, named, { [header]: `${whole}-2` })
      expect([done.first(element), done.first('ChecksumType')]).toEqual([`${whole}-2`, 'COMPOSITE'])
      const head = await s3.ok('HEAD', '/bkt/k', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
      expect([head.header(header), head.header('x-amz-checksum-type')]).toEqual([`${whole}-2`, 'COMPOSITE'])
      const one = await s3.ok('GET', '/bkt/k?partNumber=1', { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
      expect(one.header(header)).toBe(base64(algorithm, first))
      const ranged = await s3.ok('GET', '/bkt/k', { headers: { 'x-amz-checksum-mode': 'ENABLED', range: 'bytes=0-2' } })
      expect(ranged.header(header)).toBeUndefined()
    },
  )

  test.each(['CRC32', 'CRC32C', 'CRC64NVME'] as const)('%s, FULL_OBJECT: of the bytes of the whole', async (name) => {
    const algorithm = name.toLowerCase() as ChecksumAlgorithm
    const id = await start({ 'x-amz-checksum-algorithm': name, 'x-amz-checksum-type': 'FULL_OBJECT' })
    const named = await upload(id, first, second, last) // without checksums: they are computed
    const whole = base64(algorithm, first + second + last)
    const header = `x-amz-checksum-${algorithm}`
    const wrongType = await complete(id, named, { [header]: whole, 'x-amz-checksum-type': 'COMPOSITE' })
    expect(wrongType.outcome).toBe('400 InvalidRequest')
    const done = await complete(id, named, { [header]: whole, 'x-amz-checksum-type': 'FULL_OBJECT' })
    expect([done.first(`Checksum${name}`), done.first('ChecksumType')]).toEqual([whole, 'FULL_OBJECT'])
    const attributes = await s3.ok('GET', '/bkt/k?attributes', {
      headers: {
        'x-amz-object-attributes': 'Checksum,ObjectParts',
        'x-amz-max-parts': '1',
        'x-amz-part-number-marker': '1',
      },
    })
    expect(attributes.all(`Checksum${name}`)).toEqual([whole, base64(algorithm, second)])
    expect([attributes.first('PartsCount'), attributes.first('NextPartNumberMarker')]).toEqual(['3', '2'])
    expect([attributes.first('IsTruncated'), attributes.first('PartNumber'), attributes.first('Size')]).toEqual([
      'true',
      '2',
      String(second.length),
    ])
  })

  test('are of the upload’s kind, or refused', async () => {
    const id = await start({ 'x-amz-checksum-algorithm': 'SHA1' })
    const other = await s3.send('PUT', `/bkt/k?partNumber=1&uploadId=${id}`, {
      body: first,
      headers: { 'x-amz-checksum-crc32': base64('crc32', first) },
    })
    expect(other.outcome).toBe('400 InvalidRequest')
    const wrong = await s3.send('PUT', `/bkt/k?partNumber=1&uploadId=${id}`, {
      body: first,
      headers: { 'x-amz-checksum-sha1': base64('sha1', second) },
    })
    expect(wrong.outcome).toBe('400 BadDigest')
    const named = await upload(id, first)
    const lying = [{ ...named[0]!, checksum: `<ChecksumSHA1>${base64('sha1', second)}</ChecksumSHA1>` }]
    expect((await complete(id, lying)).outcome).toBe('400 InvalidPart')
  })

  test.each<Record<string, string>>([
    { 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'FULL_OBJECT' },
    { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' },
    { 'x-amz-checksum-algorithm': 'MD4' },
    { 'x-amz-checksum-type': 'COMPOSITE' },
  ])('cannot be %j', async (headers) => {
    expect((await s3.send('POST', '/bkt/k?uploads', { headers })).outcome).toBe('400 InvalidRequest')
  })

  test('that nobody asked for are not in the way', async () => {
    const id = await start()
    const value = base64('crc32', first)
    const answer = await part(id, 1, first, { 'x-amz-checksum-crc32': value })
    const named = [{ number: 1, etag: answer.header('etag')!, checksum: `<ChecksumCRC32>${value}</ChecksumCRC32>` }]
    const done = await complete(id, named)
    expect([done.status, done.first('ChecksumCRC32')]).toEqual([200, undefined])
    const attributes = await s3.ok('GET', '/bkt/k?attributes', {
      headers: { 'x-amz-object-attributes': 'ObjectParts' },
    })
    expect([attributes.first('PartsCount'), attributes.first('PartNumber')]).toEqual(['1', undefined])
  })
})

describe('UploadPartCopy', () => {
  const source = 'source bytes to copy'
  beforeEach(() => s3.ok('PUT', '/bkt/src', { body: source }))

  const copy = (id: string, number: number, headers: Record<string, string> = {}) =>
    s3.send('PUT', `/bkt/k?partNumber=${number}&uploadId=${id}`, {
      headers: { 'x-amz-copy-source': '/bkt/src', ...headers },
    })

  test('copies all, or a range', async () => {
    const id = await start()
    const whole = await copy(id, 1)
    const range = await copy(id, 2, { 'x-amz-copy-source-range': 'bytes=7-11' })
    expect(whole.first('LastModified')).toBe('2026-11-22T12:00:00.000Z')
    const named = [whole, range].map((answer, i) => ({ number: i + 1, etag: answer.first('ETag')! }))
    expect((await complete(id, named)).status).toBe(200)
    expect((await s3.ok('GET', '/bkt/k')).text).toBe(`${source}bytes`)
  })

  test('gives the part the checksum of the upload', async () => {
    const id = await start({ 'x-amz-checksum-algorithm': 'CRC32C' })
    const answer = await copy(id, 1, { 'x-amz-copy-source-range': 'bytes=0-5' })
    expect(answer.first('ChecksumCRC32C')).toBe(base64('crc32c', 'source'))
  })

  test.each([
    ['0-2', '400 InvalidArgument'],
    ['bytes=0', '400 InvalidArgument'],
    ['bytes=hello-world', '400 InvalidArgument'],
    ['bytes=0-bar', '400 InvalidArgument'],
    ['bytes=hello-', '400 InvalidArgument'],
    ['bytes=0-2,3-5', '400 InvalidArgument'],
    ['bytes=5-2', '400 InvalidArgument'],
    ['bytes=0-20', '416 InvalidRange'],
  ])('refuses the range %s', async (range, outcome) => {
    const id = await start()
    expect((await copy(id, 1, { 'x-amz-copy-source-range': range })).outcome).toBe(outcome)
  })

  test('minds the conditions on its source', async () => {
    const id = await start()
    const refused = await copy(id, 1, { 'x-amz-copy-source-if-match': '"other"' })
    expect(refused.outcome).toBe('412 PreconditionFailed')
    const missing = await copy(id, 1, { 'x-amz-copy-source': 'bkt/missing' })
    expect([missing.outcome, (await copy('none', 1)).outcome]).toEqual(['404 NoSuchKey', '404 NoSuchUpload'])
  })
})

describe('ListParts', () => {
  test('shows parts in order, page by page, with initiator and owner', async () => {
    const id = await start({ 'x-amz-checksum-algorithm': 'CRC32' })
    for (const number of [5, 1, 3]) await part(id, number, first)
    const page = await s3.ok('GET', `/bkt/k?uploadId=${id}&max-parts=2`)
    expect([page.all('PartNumber'), page.first('NextPartNumberMarker'), page.first('IsTruncated')]).toEqual([
      ['1', '3'],
      '3',
      'true',
    ])
    expect(page.all('ID')).toEqual(['admin', 'admin'])
    expect([page.first('Size'), page.first('ChecksumCRC32')]).toEqual([String(first.length), base64('crc32', first)])
    expect([page.first('ChecksumAlgorithm'), page.first('ChecksumType')]).toEqual(['CRC32', 'COMPOSITE'])
    const rest = await s3.ok('GET', `/bkt/k?uploadId=${id}&part-number-marker=3`)
    expect([rest.all('PartNumber'), rest.first('IsTruncated'), rest.first('PartNumberMarker')]).toEqual([
      ['5'],
      'false',
      '3',
    ])
    expect((await s3.send('GET', `/bkt/k?uploadId=${id}&max-parts=x`)).outcome).toBe('400 InvalidArgument')
  })
})

describe('ListMultipartUploads', () => {
  test('shows uploads by key and id, page by page', async () => {
    for (const key of ['b', 'a/2', 'a/1', 'b']) await start({}, key)
    const all = await s3.ok('GET', '/bkt?uploads')
    expect(all.all('Key')).toEqual(['a/1', 'a/2', 'b', 'b'])
    expect(all.first('IsTruncated')).toBe('false')
    const seen: string[] = []
    let markers: string | undefined = ''
    while (markers !== undefined) {
      const page: Answer = await s3.ok('GET', `/bkt?uploads&max-uploads=1${markers}`)
      seen.push(...page.all('UploadId'))
      const key = page.first('NextKeyMarker')
      markers =
        page.first('IsTruncated') === 'true'
          ? `&key-marker=${encodeURIComponent(key!)}&upload-id-marker=${page.first('NextUploadIdMarker')}`
          : undefined
    }
    expect(seen).toEqual(all.all('UploadId'))
  })

  test('folds behind a delimiter', async () => {
    for (const key of ['b', 'a/2', 'a/1']) await start({}, key)
    const folded = await s3.ok('GET', '/bkt?uploads&delimiter=%2F&encoding-type=url')
    expect(folded.all('Key')).toEqual(['b'])
    expect(folded.text).toContain('<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>')
    const page = await s3.ok('GET', '/bkt?uploads&delimiter=%2F&max-uploads=1')
    expect([page.first('NextKeyMarker'), page.first('IsTruncated')]).toEqual(['a/', 'true'])
    const inner = await s3.ok('GET', '/bkt?uploads&prefix=a%2F')
    expect(inner.all('Key')).toEqual(['a/1', 'a/2'])
  })

  test('of none is empty and complete', async () => {
    await start()
    const none = await s3.ok('GET', '/bkt?uploads&max-uploads=0')
    expect([none.all('Key'), none.first('IsTruncated')]).toEqual([[], 'false'])
  })
})
