import { beforeEach, describe, expect, test } from 'vitest'
import { s3Client } from './s3-client.ts'
import type { Answer, S3Client } from './s3-client.ts'

let s3: S3Client
beforeEach(async () => {
  s3 = await s3Client()
  await s3.ok('PUT', '/bkt')
})

async function put(...keys: string[]): Promise<void> {
  for (const key of keys) await s3.ok('PUT', `/bkt/${encodeURIComponent(key)}`, { body: key })
}

const prefixes = (answer: Answer): string[] =>
  [...answer.text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g)].map((match) => match[1]!)

describe('ListObjectsV2', () => {
  test('shows keys in the order of their UTF-8 bytes', async () => {
    // U+FFFF sorts before U+10000 in bytes, and behind it in JavaScript's own order.
    await put('b', 'a/c', 'a0', 'a-b', '\u{10000}', '\uffee', 'ä')
    const answer = await s3.ok('GET', '/bkt?list-type=2')
    expect(answer.all('Key')).toEqual(['a-b', 'a/c', 'a0', 'b', 'ä', '\uffee', '\u{10000}'])
    expect([answer.first('KeyCount'), answer.first('MaxKeys'), answer.first('IsTruncated')]).toEqual([
      '7',
      '1000',
      'false',
    ])
  })

  test('says of a key its size, ETag in quotes, date, class and checksum', async () => {
    await s3.ok('PUT', '/bkt/k', { body: 'hello', headers: { 'x-amz-checksum-crc32': 'NhCmhg==' } })
    const answer = await s3.ok('GET', '/bkt?list-type=2')
    expect(answer.first('ETag')).toBe('"5d41402abc4b2a76b9719d911017c592"')
    expect([answer.first('Size'), answer.first('StorageClass')]).toEqual(['5', 'STANDARD'])
    expect(answer.first('LastModified')).toBe('2026-11-22T12:00:00.000Z')
    expect([answer.first('ChecksumAlgorithm'), answer.first('ChecksumType')]).toEqual(['CRC32', 'FULL_OBJECT'])
  })

  test('names owners only where they are asked for', async () => {
    await put('k')
    expect((await s3.ok('GET', '/bkt?list-type=2')).all('ID')).toEqual([])
    expect((await s3.ok('GET', '/bkt?list-type=2&fetch-owner=false')).all('ID')).toEqual([])
    expect((await s3.ok('GET', '/bkt?list-type=2&fetch-owner=true')).all('ID')).toEqual(['admin'])
  })

  test('folds what is behind a delimiter, whatever that is', async () => {
    await put('a/1', 'a/2', 'b', 'c/d/e', 'x--y', 'x--z')
    const slash = await s3.ok('GET', '/bkt?list-type=2&delimiter=%2F')
    expect([slash.all('Key'), prefixes(slash)]).toEqual([
      ['b', 'x--y', 'x--z'],
      ['a/', 'c/'],
    ])
    expect(slash.first('KeyCount')).toBe('5')
    const dashes = await s3.ok('GET', '/bkt?list-type=2&delimiter=--')
    expect(prefixes(dashes)).toEqual(['x--'])
    const inner = await s3.ok('GET', '/bkt?list-type=2&prefix=c%2F&delimiter=%2F')
    expect([inner.all('Key'), prefixes(inner)]).toEqual([[], ['c/d/']])
    const none = await s3.ok('GET', '/bkt?list-type=2&delimiter=')
    expect([none.all('Key').length, none.first('Delimiter')]).toEqual([6, undefined])
  })

  test.each(['', '&delimiter=%2F'])('pages to the end, each name once (%s)', async (query) => {
    await put('a/1', 'a/2', 'b', 'b/', 'c/d/e', 'd')
    const whole = await s3.ok('GET', `/bkt?list-type=2${query}`)
    const seen: string[] = []
    let token: string | undefined
    do {
      const page = await s3.ok(
        'GET',
        `/bkt?list-type=2&max-keys=2${query}${token === undefined ? '' : `&continuation-token=${token}`}`,
      )
      expect(page.first('ContinuationToken')).toBe(token)
      seen.push(...page.all('Key'), ...prefixes(page))
      token = page.first('NextContinuationToken')
      expect(page.first('IsTruncated')).toBe(String(token !== undefined))
    } while (token !== undefined)
    expect(seen.toSorted()).toEqual([...whole.all('Key'), ...prefixes(whole)].toSorted())
  })

  test('starts after a name, unless a token says where; both are echoed', async () => {
    await put('a', 'b', 'c', 'd')
    const first = await s3.ok('GET', '/bkt?list-type=2&start-after=a&max-keys=1')
    expect([first.all('Key'), first.first('StartAfter')]).toEqual([['b'], 'a'])
    const token = first.first('NextContinuationToken')!
    const second = await s3.ok('GET', `/bkt?list-type=2&start-after=a&continuation-token=${token}`)
    expect([second.all('Key'), second.first('StartAfter'), second.first('ContinuationToken')]).toEqual([
      ['c', 'd'],
      'a',
      token,
    ])
    const empty = await s3.ok('GET', '/bkt?list-type=2&continuation-token=')
    expect(empty.all('Key')).toEqual(['a', 'b', 'c', 'd'])
    expect(empty.text).toMatch(/<ContinuationToken(\/>|><\/ContinuationToken>)/)
  })

  test('of no keys is empty and complete', async () => {
    await put('a')
    const answer = await s3.ok('GET', '/bkt?list-type=2&max-keys=0')
    expect([answer.all('Key'), answer.first('IsTruncated'), answer.first('KeyCount')]).toEqual([[], 'false', '0'])
  })

  test('of too many is 1,000', async () => {
    expect((await s3.ok('GET', '/bkt?list-type=2&max-keys=5000')).first('MaxKeys')).toBe('1000')
  })

  test.each([
    'max-keys=-1',
    'max-keys=blah',
    'max-keys=1e9',
    'max-keys=2147483648',
    'encoding-type=base64',
    'continuation-token=garbage',
    // The token of `a`, with one bit of its checksum turned, and the same one cut.
    'continuation-token=Aei3vkJh',
    'continuation-token=Aei3vk',
  ])('refuses %s', async (query) => {
    const answer = await s3.send('GET', `/bkt?list-type=2&${query}`)
    expect(answer.outcome).toBe('400 InvalidArgument')
    expect(answer.first('ArgumentName')).toBe(query.split('=')[0])
  })

  test('refuses a list type that it does not know', async () => {
    expect((await s3.send('GET', '/bkt?list-type=3')).outcome).toBe('400 InvalidArgument')
  })

  test('escapes names for XML, or for a URL where that is asked', async () => {
    const keys = ['foo+1/bar', 'foo/bar/xyz', 'quux ab/thud', 'asdf+b', '<&">', 'line\nbreak', '\u0001']
    await put(...keys)
    expect((await s3.ok('GET', '/bkt?list-type=2')).all('Key').toSorted()).toEqual(keys.toSorted())
    const url = await s3.ok('GET', '/bkt?list-type=2&encoding-type=url&delimiter=%2F')
    expect(url.all('Key')).toEqual(['%01', '%3C%26%22%3E', 'asdf%2Bb', 'line%0Abreak'])
    expect(prefixes(url)).toEqual(['foo%2B1/', 'foo/', 'quux%20ab/'])
    expect([url.first('EncodingType'), url.first('Delimiter')]).toEqual(['url', '/'])
  })

  test('of no bucket is NoSuchBucket, of a foreign one AccessDenied', async () => {
    expect((await s3.send('GET', '/nowhere?list-type=2')).outcome).toBe('404 NoSuchBucket')
    expect((await s3.send('GET', '/bkt?list-type=2', { as: 'bob' })).outcome).toBe('403 AccessDenied')
  })
})

describe('ListObjects', () => {
  test('echoes what it was asked, and names owners', async () => {
    await put('a', 'b', 'c')
    const answer = await s3.ok('GET', '/bkt?marker=a&prefix=')
    expect([answer.all('Key'), answer.first('Marker'), answer.first('Name')]).toEqual([['b', 'c'], 'a', 'bkt'])
    expect(answer.all('ID')).toEqual(['admin', 'admin'])
    expect(answer.first('KeyCount')).toBeUndefined()
  })

  test('names the next marker only with a delimiter, as Amazon S3 does', async () => {
    await put('a/1', 'a/2', 'b', 'c')
    const plain = await s3.ok('GET', '/bkt?max-keys=2')
    expect([plain.first('IsTruncated'), plain.first('NextMarker')]).toEqual(['true', undefined])
    const folded = await s3.ok('GET', '/bkt?max-keys=1&delimiter=%2F')
    expect([prefixes(folded), folded.first('NextMarker')]).toEqual([['a/'], 'a/'])
    const next = await s3.ok('GET', '/bkt?max-keys=1&delimiter=%2F&marker=a%2F')
    expect([prefixes(next), next.all('Key')]).toEqual([[], ['b']])
  })

  test('is what a request without a list type is, other parameters of clients included', async () => {
    await put('a')
    expect((await s3.ok('GET', '/bkt?x-id=ListObjects&utm_source=x')).all('Key')).toEqual(['a'])
  })
})

describe('ListObjectVersions', () => {
  test('shows each object as its own latest version, null', async () => {
    await put('a', 'b/1', 'b/2', 'c')
    const answer = await s3.ok('GET', '/bkt?versions&delimiter=%2F')
    expect([answer.all('Key'), answer.all('VersionId'), answer.all('IsLatest')]).toEqual([
      ['a', 'c'],
      ['null', 'null'],
      ['true', 'true'],
    ])
    expect([prefixes(answer), answer.all('ID')]).toEqual([['b/'], ['admin', 'admin']])
  })

  test('pages by two markers', async () => {
    await put('a', 'b', 'c')
    const first = await s3.ok('GET', '/bkt?versions&max-keys=2')
    expect([first.first('NextKeyMarker'), first.first('NextVersionIdMarker')]).toEqual(['b', 'null'])
    const second = await s3.ok('GET', '/bkt?versions&key-marker=b&version-id-marker=null')
    expect([second.all('Key'), second.first('IsTruncated'), second.first('NextKeyMarker')]).toEqual([
      ['c'],
      'false',
      undefined,
    ])
    expect((await s3.send('GET', '/bkt?versions&version-id-marker=null')).outcome).toBe('400 InvalidArgument')
  })

  test('encodes names for a URL where that is asked', async () => {
    await put('a b', 'c d/e')
    const answer = await s3.ok('GET', '/bkt?versions&encoding-type=url&delimiter=%2F')
    expect([answer.all('Key'), prefixes(answer), answer.first('EncodingType')]).toEqual([['a%20b'], ['c%20d/'], 'url'])
  })
})
