import { digestOf } from '@o3/common/digest/node'
import { StoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { O3Session } from '../../api/api.ts'
import {
  bucket,
  base64,
  etagOf,
  expectRefusal,
  expectSameBytes,
  inPieces,
  keyRef,
  pattern,
  put,
  read,
  readText,
  simplePut,
  text,
  withBucket,
} from './fixture.ts'
import type { OpenedStore } from './fixture.ts'

const KiB = 1024
const MiB = 1024 * KiB

export function keyContract(opened: () => OpenedStore): void {
  const start = (): Promise<O3Session> => withBucket(opened().store)

  describe('a key comes back as it was put', () => {
    const sizes = [0, 1, 4 * KiB, 4 * KiB + 1, 100 * KiB, MiB - 1, MiB, MiB + 1, 2 * MiB, 5 * MiB + 7]
    test.each(sizes)('%d bytes at once', async (size) => {
      const session = await start()
      const bytes = pattern(size)
      const commit = await put(session, 'k', bytes, { size })
      expect(commit).toMatchObject({ etag: etagOf(bytes), size })
      await expectSameBytes(read(session, 'k'), bytes)
    })

    test.each(sizes)('%d bytes in pieces, of a size that nobody told', async (size) => {
      const session = await start()
      const bytes = pattern(size, 7)
      await put(session, 'k', inPieces(bytes, 60 * KiB))
      const { info } = await session.keys.head(keyRef('k'))
      expect(info).toMatchObject({ name: 'k', size, etag: etagOf(bytes), owner: 'admin' })
      await expectSameBytes(read(session, 'k'), bytes)
    })

    test('with its attributes', async () => {
      const session = await start()
      const attributes = {
        contentType: 'text/plain; charset=utf-8',
        checksum: { algorithm: 'crc32', type: 'full-object', value: 'AAAAAA==' },
        headers: { 'cache-control': 'no-store', __proto__x: 'y' },
        metadata: { farbe: 'grün', '': 'empty' },
        tags: { a: '1' },
      } as const
      await session.keys.put(keyRef('k'), text('x'), simplePut(attributes))
      const { info } = await session.keys.head(keyRef('k'))
      expect(info).toMatchObject(attributes)
    })

    test.each(['/', '//', 'a//b', '../x', 'a/', 'ü/😀', 'a b+c%2F', '\u0001', '__proto__', 'x'.repeat(1024)])(
      'under the name %j',
      async (name) => {
        const session = await start()
        await put(session, name, 'bytes')
        expect(await readText(session, name)).toBe('bytes')
        await session.keys.delete(keyRef(name))
        await expectRefusal(session.keys.head(keyRef(name)), 'KeyNotFound')
      },
    )

    test('and both a key and a directory of its name', async () => {
      const session = await start()
      await put(session, 'a', '1')
      await put(session, 'a/b', '2')
      await put(session, 'a/', '3')
      expect(await Promise.all(['a', 'a/b', 'a/'].map((name) => readText(session, name)))).toEqual(['1', '2', '3'])
    })
  })

  describe('putting a key', () => {
    test('computes the digests that were asked for', async () => {
      const session = await start()
      const bytes = pattern(300 * KiB)
      const seen: unknown[] = []
      const options = simplePut()
      await session.keys.put(keyRef('k'), inPieces(bytes, 10_000), {
        ...options,
        digests: ['md5', 'crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'],
        finish: (digests, size) => {
          seen.push(size, ...Object.entries(digests).map(([name, value]) => [name, base64(value)]))
          return options.finish(digests, size)
        },
      })
      const expected = (['md5', 'crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const).map((algorithm) => [
        algorithm,
        base64(digestOf(algorithm, bytes)),
      ])
      expect(seen).toHaveLength(7)
      expect(seen).toEqual(expect.arrayContaining([bytes.length, ...expected]))
    })

    test.each([10, 10 * KiB, 3 * MiB])('stores nothing of %d bytes that `finish` does not like', async (size) => {
      const session = await start()
      await put(session, 'k', 'before')
      const dislike = (): never => {
        throw new StoreError('DigestMismatch', 'no')
      }
      await expectRefusal(put(session, 'k', pattern(size), { finish: dislike }), 'DigestMismatch')
      await expectRefusal(put(session, 'k', inPieces(pattern(size), 50_000), { finish: dislike }), 'DigestMismatch')
      expect(await readText(session, 'k')).toBe('before')
    })

    test.each([
      ['short', 5, 6],
      ['long', 6, 5],
      ['short by much', 2 * MiB, 3 * MiB],
      ['long by much', 3 * MiB, 2 * MiB],
      ['empty', 0, 1],
    ])('stores nothing of a body that is %s', async (_, size, promised) => {
      const session = await start()
      await expectRefusal(put(session, 'k', pattern(size), { size: promised }), 'IncompleteBody')
      await expectRefusal(put(session, 'k', inPieces(pattern(size), 60_000), { size: promised }), 'IncompleteBody')
      await expectRefusal(session.keys.head(keyRef('k')), 'KeyNotFound')
    })

    test.each([0, 10, 10 * KiB, 3 * MiB])('stores nothing of a body that breaks off after %d bytes', async (size) => {
      const session = await start()
      async function* breaking(): AsyncGenerator<Uint8Array> {
        yield* inPieces(pattern(size), 60_000)
        throw new StoreError('IncompleteBody', 'gone')
      }
      await expectRefusal(put(session, 'k', breaking()), 'IncompleteBody')
      await expectRefusal(session.keys.head(keyRef('k')), 'KeyNotFound')
    })

    test('stores nothing once it is aborted, and lets go of the body', async () => {
      const session = await start()
      const abort = new AbortController()
      let released = false
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) {
            yield pattern(100_000)
            abort.abort()
          }
        } finally {
          released = true
        }
      }
      await expectRefusal(put(session, 'k', endless(), { signal: abort.signal }), 'Aborted')
      await expectRefusal(put(session, 'k', 'x', { signal: abort.signal }), 'Aborted')
      expect(released).toBe(true)
      await expectRefusal(session.keys.head(keyRef('k')), 'KeyNotFound')
    })

    test('replaces what was there', async () => {
      const session = await start()
      const first = await put(session, 'k', pattern(2 * MiB), {})
      const second = await put(session, 'k', 'two')
      expect(second.updateId).toBeGreaterThan(first.updateId)
      expect(await readText(session, 'k')).toBe('two')
      expect((await session.buckets.info(keyRef('k'))).usage).toEqual({ bytes: 3, keys: 1 })
    })

    test('is refused for a name that cannot be, before a byte is read', async () => {
      const session = await start()
      const untouched = (): AsyncIterable<Uint8Array> => ({
        [Symbol.asyncIterator]: () => ({ next: () => expect.unreachable('the body was read') }),
      })
      await expectRefusal(put(session, '', untouched()), 'InvalidName')
      await expectRefusal(put(session, 'a\ud800', untouched()), 'InvalidName')
      await expectRefusal(put(session, 'x'.repeat(1025), untouched()), 'KeyTooLong')
      await expectRefusal(session.keys.head(keyRef('x'.repeat(1025))), 'KeyTooLong')
    })

    test('is refused with attributes beyond measure', async () => {
      const session = await start()
      const finish = () => ({ ...simplePut().finish({ md5: text('x') }, 0), metadata: { a: 'x'.repeat(70_000) } })
      await expectRefusal(put(session, 'k', 'x', { finish }), 'TooLarge')
    })

    test('keeps to its preconditions', async () => {
      const session = await start()
      await expectRefusal(put(session, 'k', 'x', { preconditions: { ifMatch: '*' } }), 'KeyNotFound')
      const { etag } = await put(session, 'k', 'one', { preconditions: { ifNoneMatch: '*' } })
      await expectRefusal(put(session, 'k', 'x', { preconditions: { ifNoneMatch: '*' } }), 'PreconditionFailed')
      await expectRefusal(put(session, 'k', 'x', { preconditions: { ifMatch: ['other'] } }), 'PreconditionFailed')
      await put(session, 'k', 'two', { preconditions: { ifMatch: [etag] } })
      expect(await readText(session, 'k')).toBe('two')
    })

    test('of many at once with If-None-Match, one wins', async () => {
      const session = await start()
      const bodies = Array.from({ length: 20 }, (_, i) => `body ${i}`)
      const outcomes = await Promise.allSettled(
        bodies.map((body) => put(session, 'k', body, { preconditions: { ifNoneMatch: '*' } })),
      )
      const winners = bodies.filter((_, i) => outcomes[i]?.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      expect(await readText(session, 'k')).toBe(winners[0])
    })

    test('twice with one request id happens once', async () => {
      const session = await start()
      const first = await put(session, 'k', 'one', { requestId: 'r1' })
      await put(session, 'k', 'two')
      expect(await put(session, 'k', 'one', { requestId: 'r1' })).toEqual(first)
      expect(await readText(session, 'k')).toBe('two')
      // The same id for another key is another request.
      await put(session, 'k2', 'three', { requestId: 'r1' })
      expect(await readText(session, 'k2')).toBe('three')
    })
  })

  describe('reading a key', () => {
    test('in ranges, across whatever it is made of', async () => {
      const session = await start()
      const bytes = pattern(3 * MiB + 5)
      await put(session, 'k', bytes)
      const ranges = [
        [0, 1],
        [MiB - 3, MiB + 3],
        [64 * KiB, 64 * KiB + 1],
        [100, 2 * MiB + 900_000],
        [3 * MiB, 9 * MiB],
      ] as const
      for (const [from, to] of ranges) {
        const range = { kind: 'from-to', start: from, end: to } as const
        await expectSameBytes(read(session, 'k', { range }), bytes.subarray(from, to))
      }
      const range = { kind: 'suffix', length: 6 } as const
      expect(await session.keys.head(keyRef('k'), { range })).toMatchObject({ start: 3 * MiB - 1, end: 3 * MiB + 5 })
      await expectSameBytes(read(session, 'k', { range }), bytes.subarray(-6))
    })

    test('in a range that is not there is refused', async () => {
      const session = await start()
      await put(session, 'k', 'abc')
      await put(session, 'empty', '')
      const beyond = { range: { kind: 'from-to', start: 3 } } as const
      await expectRefusal(session.keys.get(keyRef('k'), beyond), 'InvalidRange')
      await expectRefusal(session.keys.head(keyRef('k'), beyond), 'InvalidRange')
      await expectRefusal(session.keys.get(keyRef('empty'), { range: { kind: 'suffix', length: 1 } }), 'InvalidRange')
    })

    test('under conditions, judged before the range', async () => {
      const session = await start()
      const { etag } = await put(session, 'k', 'abc')
      const range = { kind: 'from-to', start: 99 } as const
      await expectRefusal(session.keys.get(keyRef('k'), { conditions: { ifNoneMatch: [etag] }, range }), 'NotModified')
      await expectRefusal(
        session.keys.get(keyRef('k'), { conditions: { ifMatch: ['x'] }, range }),
        'PreconditionFailed',
      )
      await expectSameBytes(read(session, 'k', { conditions: { ifMatch: [etag] } }), text('abc'))
    })

    test('that is overwritten meanwhile gives the bytes of one version', async () => {
      const session = await start()
      const one = pattern(5 * MiB, 1)
      await put(session, 'k', one)
      const { body, info } = await session.keys.get(keyRef('k'))
      await put(session, 'k', pattern(5 * MiB, 2))
      const pieces: Uint8Array[] = []
      if (body.bytes instanceof Uint8Array) pieces.push(body.bytes)
      else for await (const piece of body.bytes) pieces.push(new Uint8Array(piece))
      expect(etagOf(Buffer.concat(pieces))).toBe(info.etag)
    })

    test('that is not there, or in a bucket or volume that is not', async () => {
      const session = await start()
      await expectRefusal(session.keys.get(keyRef('none')), 'KeyNotFound')
      await expectRefusal(session.keys.get({ ...keyRef('k'), bucket: 'none' }), 'BucketNotFound')
      await expectRefusal(session.keys.get({ volume: 'none', bucket: 'none', key: 'k' }), 'BucketNotFound')
    })
  })

  describe('deleting', () => {
    test('a key, and one that is not there', async () => {
      const session = await start()
      await put(session, 'a/b/c', pattern(100_000))
      expect(await session.keys.delete(keyRef('a/b/c'))).toEqual({ existed: true })
      expect(await session.keys.delete(keyRef('a/b/c'))).toEqual({ existed: false })
      await expectRefusal(session.keys.get(keyRef('a/b/c')), 'KeyNotFound')
      expect((await session.buckets.info(keyRef(''))).usage).toEqual({ bytes: 0, keys: 0 })
    })

    test('under preconditions', async () => {
      const session = await start()
      const { etag } = await put(session, 'k', 'x')
      const ifMatch = (etags: readonly string[] | '*') => ({ preconditions: { ifMatch: etags } })
      await expectRefusal(session.keys.delete(keyRef('k'), ifMatch(['other'])), 'PreconditionFailed')
      expect(await session.keys.delete(keyRef('k'), ifMatch([etag]))).toEqual({ existed: true })
      await expectRefusal(session.keys.delete(keyRef('k'), ifMatch('*')), 'KeyNotFound')
    })

    test('twice with one request id answers the same', async () => {
      const session = await start()
      await put(session, 'k', 'x')
      const first = await session.keys.delete(keyRef('k'), { requestId: 'd1' })
      await put(session, 'k', 'y')
      expect(await session.keys.delete(keyRef('k'), { requestId: 'd1' })).toEqual(first)
      expect(await readText(session, 'k')).toBe('y')
    })

    test('many, each judged alone', async () => {
      const session = await start()
      await put(session, 'a', '1')
      await put(session, 'b', '2')
      const keys = [
        { key: 'a', ifMatch: 'other' },
        { key: 'b', ifMatch: '*' },
        { key: 'b' },
        { key: 'none', ifMatch: '*' },
        { key: 'none' },
        { key: '' },
        { key: 'x'.repeat(1025) },
      ]
      const results = await session.keys.deleteMany(keyRef(''), keys)
      expect(results.map((each) => (each.kind === 'deleted' ? each.existed : each.code))).toEqual([
        'PreconditionFailed',
        true,
        false,
        'KeyNotFound',
        false,
        'InvalidName',
        'KeyTooLong',
      ])
      expect(results.map(({ key }) => key)).toEqual(keys.map(({ key }) => key))
      expect(await readText(session, 'a')).toBe('1')
      expect(await session.keys.deleteMany(keyRef(''), [])).toEqual([])
      const tooMany = Array.from({ length: 1001 }, (_, i) => ({ key: `k${i}` }))
      await expectRefusal(session.keys.deleteMany(keyRef(''), tooMany), 'TooManyEntries')
    })
  })

  describe('copying', () => {
    test.each([0, 10, 10 * KiB, 3 * MiB])('%d bytes keeps bytes, ETag and attributes', async (size) => {
      const session = await start()
      const bytes = pattern(size)
      const finish = simplePut({ contentType: 'a/b', metadata: { m: '1' } }).finish
      const original = await put(session, 'from', bytes, { finish })
      const copied = await session.keys.copy(keyRef('from'), keyRef('to'), { preconditions: {} })
      expect(copied).toMatchObject({
        etag: original.etag,
        size,
        info: { name: 'to', contentType: 'a/b', metadata: { m: '1' } },
      })
      await session.keys.delete(keyRef('from'))
      await expectSameBytes(read(session, 'to'), bytes)
      expect((await session.keys.head(keyRef('to'))).info).toEqual(copied.info)
      expect((await session.buckets.info(keyRef(''))).usage).toEqual({ bytes: size, keys: 1 })
    })

    test('replaces attributes, onto itself too', async () => {
      const session = await start()
      await put(session, 'k', pattern(5000))
      const attributes = { contentType: 'x/y', metadata: { n: '2' }, headers: {}, tags: { t: '1' } }
      await session.keys.copy(keyRef('k'), keyRef('k'), { attributes, preconditions: {} })
      expect((await session.keys.head(keyRef('k'))).info).toMatchObject(attributes)
      await expectSameBytes(read(session, 'k'), pattern(5000))
    })

    test('computes a checksum that the source has not', async () => {
      const session = await start()
      const bytes = pattern(2 * MiB + 1)
      await put(session, 'k', bytes)
      const { info } = await session.keys.copy(keyRef('k'), keyRef('to'), { checksum: 'crc64nvme', preconditions: {} })
      const value = base64(digestOf('crc64nvme', bytes))
      expect(info.checksum).toEqual({ algorithm: 'crc64nvme', type: 'full-object', value })
      const again = await session.keys.copy(keyRef('to'), keyRef('to2'), { checksum: 'crc64nvme', preconditions: {} })
      expect(again.info.checksum).toEqual(info.checksum)
    })

    test('judges the source, then the target', async () => {
      const session = await start()
      const { etag } = await put(session, 'from', 'x')
      await put(session, 'to', 'y')
      const copy = (options: Partial<Parameters<O3Session['keys']['copy']>[2]>, source = 'from') =>
        session.keys.copy(keyRef(source), keyRef('to'), { preconditions: {}, ...options })
      await expectRefusal(copy({ sourceConditions: { ifMatch: ['no'] } }), 'PreconditionFailed')
      await expectRefusal(copy({ sourceConditions: { ifNoneMatch: [etag] } }), 'PreconditionFailed')
      await expectRefusal(copy({ preconditions: { ifNoneMatch: '*' } }), 'PreconditionFailed')
      await expectRefusal(copy({ preconditions: { ifNoneMatch: '*' } }, 'none'), 'KeyNotFound')
      expect(await readText(session, 'to')).toBe('y')
      await copy({ sourceConditions: { ifMatch: [etag] } })
      expect(await readText(session, 'to')).toBe('x')
    })
  })

  describe('renaming', () => {
    test('a key', async () => {
      const session = await start()
      await put(session, 'a/b', pattern(5000))
      await put(session, 'c', 'c')
      await session.keys.rename(keyRef('a/b'), 'x/y/z')
      await expectRefusal(session.keys.head(keyRef('a/b')), 'KeyNotFound')
      await expectSameBytes(read(session, 'x/y/z'), pattern(5000))
      await expectRefusal(session.keys.rename(keyRef('x/y/z'), 'c'), 'KeyAlreadyExists')
      await session.keys.rename(keyRef('x/y/z'), 'c', { replace: true })
      await expectSameBytes(read(session, 'c'), pattern(5000))
      await session.tree.rename(keyRef('c'), 'c')
      await expectRefusal(session.keys.rename(keyRef('none'), 'd'), 'KeyNotFound')
      await expectRefusal(session.keys.rename(keyRef('c'), 'd/'), 'InvalidArgument')
      expect((await session.buckets.info(keyRef(''))).usage).toEqual({ bytes: 5000, keys: 1 })
    })

    test('a directory, with all below it', async () => {
      const session = await start()
      for (const name of ['d/', 'd/a', 'd/e/f', 'd//x', 'd', 'e/g']) await put(session, name, name)
      await session.keys.rename(keyRef('d/'), 'n/m/')
      for (const name of ['', 'a', 'e/f', '/x']) expect(await readText(session, `n/m/${name}`)).toBe(`d/${name}`)
      expect(await readText(session, 'd')).toBe('d')
      await expectRefusal(session.keys.head(keyRef('d/a')), 'KeyNotFound')
      await expectRefusal(session.keys.rename(keyRef('n/'), 'e/'), 'DirectoryNotEmpty')
      await expectRefusal(session.keys.rename(keyRef('n/'), 'n/o/'), 'InvalidArgument')
      await expectRefusal(session.keys.rename(keyRef('none/'), 'o/'), 'KeyNotFound')
      await expectRefusal(session.keys.rename(keyRef('n/'), `${'o'.repeat(1020)}/`), 'KeyTooLong')
      await session.keys.rename(keyRef('n/'), 'n/')
    })
  })

  test('a page is short only at the end, also of keys whose bytes lie with their names', async () => {
    const session = await withBucket(opened().store)
    const names = Array.from({ length: 40 }, (_, i) => `long-${String(i).padStart(2, '0')}`)
    for (const name of names) await put(session, name, pattern(4000))
    const seen: string[] = []
    for (let after = ''; ; after = seen.at(-1) ?? '') {
      const page = await session.keys.list(bucket, { after, limit: 15 })
      seen.push(...page.items.map((entry) => (entry.kind === 'key' ? entry.key.name : entry.prefix)))
      if (!page.truncated) break
      expect(page.items).toHaveLength(15)
    }
    expect(seen).toEqual(names)
  })

  test('tags are set and replaced, and leave all else', async () => {
    const session = await start()
    await put(session, 'k', 'x', { finish: simplePut({ tags: { a: '1' }, metadata: { m: 'n' } }).finish })
    const before = (await session.keys.head(keyRef('k'))).info
    await session.keys.setTags(keyRef('k'), { b: '2', c: '' })
    const after = (await session.keys.head(keyRef('k'))).info
    expect(after).toEqual({ ...before, tags: { b: '2', c: '' }, updateId: after.updateId })
    expect(after.updateId).toBeGreaterThan(before.updateId)
    await session.keys.setTags(keyRef('k'), {})
    expect((await session.keys.head(keyRef('k'))).info.tags).toEqual({})
    await expectRefusal(session.keys.setTags(keyRef('none'), {}), 'KeyNotFound')
  })
}
