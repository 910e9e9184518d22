import { digestOf } from '@o3/common/digest/node'
import { describe, expect, test } from 'vitest'
import type { Checksum, O3Session, PartInfo, PartPutOptions, Upload } from '../../api/api.ts'
import { hexOf } from '../../store/digest-text.ts'
import {
  base64,
  bucket,
  etagOf,
  expectRefusal,
  expectSameBytes,
  inPieces,
  keyRef,
  noAttributes,
  pattern,
  put,
  read,
  text,
  withBucket,
} from './fixture.ts'
import type { OpenedStore } from './fixture.ts'

const MiB = 1024 * 1024

const partPut: PartPutOptions = { digests: ['md5'], finish: ({ md5 }) => ({ etag: hexOf(md5!) }) }

type CompleteOptions = Parameters<O3Session['uploads']['complete']>[3]
const completing: CompleteOptions = {
  finish: (parts) => ({ etag: `${parts.map(({ etag }) => etag.slice(0, 4)).join('')}-${parts.length}` }),
  preconditions: {},
  minPartBytes: 0,
}

const named = (parts: readonly PartInfo[]) => parts.map(({ number, etag }) => ({ number, etag }))

export function uploadContract(opened: () => OpenedStore): void {
  async function started(
    key = 'k',
    options: Partial<Pick<Upload, 'attributes' | 'checksum'>> = {},
  ): Promise<{ readonly session: O3Session; readonly upload: Upload }> {
    const session = await withBucket(opened().store)
    return { session, upload: await session.uploads.start(keyRef(key), { attributes: noAttributes, ...options }) }
  }

  test('parts become a key, in the order of their numbers', async () => {
    const attributes = { contentType: 'a/b', headers: { h: '1' }, metadata: { m: '2' }, tags: { t: '3' } }
    const { session, upload } = await started('k', { attributes })
    expect(upload).toMatchObject({ key: 'k', owner: 'admin', attributes })
    expect(await session.uploads.info(keyRef('k'), upload.id)).toEqual(upload)
    const bodies = [pattern(2 * MiB, 1), pattern(10, 2), pattern(100_000, 3)]
    const parts: PartInfo[] = []
    for (const [number, body] of [
      [7, bodies[2]],
      [1, bodies[0]],
      [3, bodies[1]],
    ] as const) {
      parts.unshift(await session.uploads.putPart(keyRef('k'), upload.id, number, inPieces(body!, 60_000), partPut))
    }
    parts.sort((a, b) => a.number - b.number)
    expect(await session.uploads.parts(keyRef('k'), upload.id, { limit: 10 })).toEqual({
      items: parts,
      truncated: false,
    })
    await expectRefusal(session.keys.head(keyRef('k')), 'KeyNotFound')

    const commit = await session.uploads.complete(keyRef('k'), upload.id, named(parts), completing)
    const whole = Buffer.concat(bodies)
    expect(commit).toMatchObject({ etag: completing.finish(parts).etag, size: whole.length })
    await expectSameBytes(read(session, 'k'), whole)
    const { info } = await session.keys.head(keyRef('k'))
    expect(info).toMatchObject(attributes)
    expect(info.parts).toEqual(parts.map(({ number, size }) => ({ number, size })))
    await expectSameBytes(read(session, 'k', { range: { kind: 'part', number: 3 } }), bodies[1]!)
    await expectRefusal(session.keys.get(keyRef('k'), { range: { kind: 'part', number: 2 } }), 'InvalidRange')
    await expectRefusal(session.uploads.info(keyRef('k'), upload.id), 'UploadNotFound')
    const { usage, uploads } = await session.buckets.info(bucket)
    expect({ usage, uploads }).toEqual({ usage: { bytes: whole.length, keys: 1 }, uploads: 0 })
  })

  test('a part that is put again replaces the first', async () => {
    const { session, upload } = await started()
    await session.uploads.putPart(keyRef('k'), upload.id, 1, pattern(5000, 1), partPut)
    const part = await session.uploads.putPart(keyRef('k'), upload.id, 1, pattern(6000, 2), partPut)
    expect((await session.buckets.info(bucket)).usage).toEqual({ bytes: 6000, keys: 0 })
    await session.uploads.complete(keyRef('k'), upload.id, named([part]), completing)
    await expectSameBytes(read(session, 'k'), pattern(6000, 2))
  })

  test('parts that are not named are dropped', async () => {
    const { session, upload } = await started()
    const part = await session.uploads.putPart(keyRef('k'), upload.id, 2, pattern(5000), partPut)
    await session.uploads.putPart(keyRef('k'), upload.id, 1, pattern(70_000), partPut)
    await session.uploads.complete(keyRef('k'), upload.id, named([part]), completing)
    expect((await session.buckets.info(bucket)).usage).toEqual({ bytes: 5000, keys: 1 })
  })

  test('completing again with the same parts answers the same, with others it does not', async () => {
    const { session, upload } = await started()
    const one = await session.uploads.putPart(keyRef('k'), upload.id, 1, text('one'), partPut)
    const two = await session.uploads.putPart(keyRef('k'), upload.id, 2, text('two'), partPut)
    const commit = await session.uploads.complete(keyRef('k'), upload.id, named([one, two]), completing)
    await put(session, 'k', 'newer')
    expect(await session.uploads.complete(keyRef('k'), upload.id, named([one, two]), completing)).toEqual(commit)
    await expectSameBytes(read(session, 'k'), text('newer'))
    await expectRefusal(session.uploads.complete(keyRef('k'), upload.id, named([one]), completing), 'UploadNotFound')
  })

  test('completing is refused for parts that do not fit, and the upload stays', async () => {
    const { session, upload } = await started()
    const one = await session.uploads.putPart(keyRef('k'), upload.id, 1, text('one'), partPut)
    const two = await session.uploads.putPart(keyRef('k'), upload.id, 2, text('two'), partPut)
    const complete = (parts: Parameters<O3Session['uploads']['complete']>[2], options: Partial<CompleteOptions> = {}) =>
      session.uploads.complete(keyRef('k'), upload.id, parts, { ...completing, ...options })
    await expectRefusal(complete([]), 'InvalidPart')
    await expectRefusal(complete(named([two, one])), 'InvalidPartOrder')
    await expectRefusal(complete(named([one, one])), 'InvalidPartOrder')
    await expectRefusal(complete([{ number: 3, etag: one.etag }]), 'InvalidPart')
    await expectRefusal(complete([{ number: 1, etag: two.etag }]), 'InvalidPart')
    await expectRefusal(complete([{ ...named([one])[0]!, checksum: 'AAAA' }]), 'InvalidPart')
    await expectRefusal(complete(named([one, two]), { minPartBytes: 4 }), 'PartTooSmall')
    await expectRefusal(complete(named([one]), { preconditions: { ifMatch: '*' } }), 'KeyNotFound')
    await expectRefusal(
      session.uploads.complete(keyRef('other'), upload.id, named([one]), completing),
      'UploadNotFound',
    )
    await complete(named([one, two]), { minPartBytes: 3, preconditions: { ifNoneMatch: '*' } })
    await expectSameBytes(read(session, 'k'), text('onetwo'))
  })

  test('an aborted upload leaves nothing', async () => {
    const { session, upload } = await started()
    await session.uploads.putPart(keyRef('k'), upload.id, 1, pattern(100_000), partPut)
    await expectRefusal(session.buckets.delete(bucket), 'BucketNotEmpty')
    await session.uploads.abort(keyRef('k'), upload.id)
    await expectRefusal(session.uploads.abort(keyRef('k'), upload.id), 'UploadNotFound')
    await expectRefusal(session.uploads.parts(keyRef('k'), upload.id, { limit: 1 }), 'UploadNotFound')
    await expectRefusal(session.uploads.putPart(keyRef('k'), upload.id, 1, text('x'), partPut), 'UploadNotFound')
    expect(await session.buckets.info(bucket)).toMatchObject({ usage: { bytes: 0, keys: 0 }, uploads: 0 })
    await session.buckets.delete(bucket)
  })

  test.each([0, 10_001, 1.5, Number.NaN])('there is no part %d', async (number) => {
    const { session, upload } = await started()
    await expectRefusal(session.uploads.putPart(keyRef('k'), upload.id, number, text('x'), partPut), 'InvalidArgument')
  })

  test('parts are listed in pages', async () => {
    const { session, upload } = await started()
    for (const number of [5, 1, 9]) await session.uploads.putPart(keyRef('k'), upload.id, number, text('x'), partPut)
    const page = async (after: number, limit: number) => {
      const { items, truncated } = await session.uploads.parts(keyRef('k'), upload.id, { after, limit })
      return [...items.map(({ number }) => number), truncated]
    }
    expect(await page(0, 2)).toEqual([1, 5, true])
    expect(await page(5, 2)).toEqual([9, false])
    expect(await page(9, 2)).toEqual([false])
    expect(await page(0, 0)).toEqual([false])
  })

  describe('copying a part', () => {
    test('takes a range of a key by reference', async () => {
      const { session, upload } = await started()
      const bytes = pattern(3 * MiB)
      await put(session, 'source', bytes)
      const copy = (number: number, start: number, end: number) =>
        session.uploads.copyPart(keyRef('k'), upload.id, number, keyRef('source'), { range: { start, end } })
      const parts = [
        await copy(1, 0, 10),
        await copy(2, MiB - 5, 2 * MiB + 5),
        await session.uploads.copyPart(keyRef('k'), upload.id, 3, keyRef('source'), {}),
      ]
      for (const part of parts) expect(part.etag).toMatch(/^[0-9a-f]{32}$/)
      expect(parts[2]!.etag).toBe(etagOf(bytes))
      expect(await copy(1, 0, 10)).toMatchObject({ etag: parts[0]!.etag, size: 10 })
      await session.keys.delete(keyRef('source'))
      await session.uploads.complete(keyRef('k'), upload.id, named(parts), completing)
      const expected = Buffer.concat([bytes.subarray(0, 10), bytes.subarray(MiB - 5, 2 * MiB + 5), bytes])
      await expectSameBytes(read(session, 'k'), expected)
    })

    test('computes the checksum that the upload wants', async () => {
      const { session, upload } = await started('k', { checksum: { algorithm: 'sha256', type: 'composite' } })
      await put(session, 'source', pattern(100_000))
      const range = { start: 5, end: 50_000 }
      const part = await session.uploads.copyPart(keyRef('k'), upload.id, 1, keyRef('source'), { range })
      const bytes = pattern(100_000).subarray(5, 50_000)
      const checksum: Checksum = { algorithm: 'sha256', type: 'full-object', value: base64(digestOf('sha256', bytes)) }
      expect(part).toMatchObject({ size: 49_995, etag: etagOf(bytes), checksum })
    })

    test('judges source and range', async () => {
      const { session, upload } = await started()
      const { etag } = await put(session, 'source', 'abc')
      const copy = (options: Parameters<O3Session['uploads']['copyPart']>[4], source = 'source') =>
        session.uploads.copyPart(keyRef('k'), upload.id, 1, keyRef(source), options)
      await expectRefusal(copy({ range: { start: 0, end: 4 } }), 'InvalidRange')
      await expectRefusal(copy({ range: { start: 2, end: 1 } }), 'InvalidRange')
      await expectRefusal(copy({ sourceConditions: { ifNoneMatch: [etag] } }), 'PreconditionFailed')
      await expectRefusal(copy({}, 'none'), 'KeyNotFound')
    })
  })

  test('uploads are listed by key, with prefixes and in pages', async () => {
    const { session, upload: first } = await started('a/1')
    const start = (key: string) => session.uploads.start(keyRef(key), { attributes: noAttributes })
    const second = await start('a/1')
    await start('b')
    await start('a/2')
    const list = async (options: Partial<Parameters<O3Session['uploads']['list']>[1]>) => {
      const { items, truncated } = await session.uploads.list(bucket, { limit: 10, ...options })
      return [...items.map((entry) => (entry.kind === 'upload' ? entry.upload.key : `${entry.prefix}*`)), truncated]
    }
    expect(await list({})).toEqual(['a/1', 'a/1', 'a/2', 'b', false])
    expect(await list({ delimiter: '/' })).toEqual(['a/*', 'b', false])
    expect(await list({ prefix: 'a/' })).toEqual(['a/1', 'a/1', 'a/2', false])
    expect(await list({ limit: 1 })).toEqual(['a/1', true])
    expect(await list({ limit: 0 })).toEqual([false])
    expect(await list({ keyMarker: 'a/1' })).toEqual(['a/2', 'b', false])
    const [lower, upper] = [first.id, second.id].toSorted()
    expect(await list({ keyMarker: 'a/1', uploadIdMarker: lower! })).toEqual(['a/1', 'a/2', 'b', false])
    expect(await list({ keyMarker: 'a/1', uploadIdMarker: upper! })).toEqual(['a/2', 'b', false])
    expect(await list({ delimiter: '/', keyMarker: 'a/' })).toEqual(['b', false])
  })
}
