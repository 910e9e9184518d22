import { StoreError } from '@o3/common/errors'
import type { Bucket, Found, Key, LookupAnswer, LookupRequest, OmClient, OmReply, Volume } from '@o3/om/api'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Foreseen } from '../../src/api/api.ts'
import { RequestOm } from '../../src/store/request-om.ts'
import { RequestRows } from '../../src/store/request-rows.ts'

/** One row of each kind, which changes with each change; `asked` is what it was asked for, in order. */
class CountingOm {
  readonly asked: string[] = []
  version = 1
  missing = false
  /** Held back until then. */
  until: Promise<void> = Promise.resolve()

  async lookup({ accessKey, places, key }: LookupRequest): Promise<LookupAnswer> {
    this.asked.push(['lookup', accessKey, ...places.map(({ bucket }) => bucket), key?.key].filter(Boolean).join(' '))
    const answer = {
      places: places.map(() => ({
        volume: this.found<Volume>('VolumeNotFound'),
        bucket: this.found<Bucket>('BucketNotFound'),
      })),
      ...(key === undefined ? {} : { key: this.found<Key>('KeyNotFound') }),
    }
    await this.until
    return answer
  }

  async execute(): Promise<OmReply> {
    this.asked.push('execute')
    this.version++
    return { kind: 'done' }
  }

  async getVolume(): Promise<Volume> {
    this.asked.push('getVolume')
    return this.row<Volume>()
  }

  async getKey(): Promise<Key> {
    this.asked.push('getKey')
    return this.row<Key>()
  }

  private found<T>(code: 'VolumeNotFound' | 'BucketNotFound' | 'KeyNotFound'): Found<T> {
    if (this.missing) return { kind: 'refused', error: { code, message: 'none', details: { of: code } } }
    return { kind: 'row', row: this.row<T>() }
  }

  private row<T>(): T {
    return { version: this.version } as T
  }
}

const ref = { volume: 'v', bucket: 'b' }
const keyRef = { ...ref, key: 'k' }
const foreseen: Foreseen = { places: [ref], key: keyRef }

let counting: CountingOm
let nowMs: number
let rows: RequestRows
let om: OmClient

beforeEach(async () => {
  counting = new CountingOm()
  nowMs = 5
  const options = { om: counting, clock: { monotonicMs: () => nowMs } }
  const own = { ...foreseen }
  await RequestRows.lookup(own, 'AK', options)
  rows = RequestRows.of(own, options)
  om = new RequestOm(counting as unknown as OmClient, rows)
  expect(counting.asked.splice(0)).toEqual(['lookup AK b k'])
})

describe('rows of a request', () => {
  test('are answered at once, without asking', () => {
    expect([om.getBucket(ref), om.getVolume('v'), om.getKey(keyRef), om.getBucket(ref)]).toEqual(
      Array(4).fill({ version: 1 }),
    )
    expect(counting.asked).toEqual([])
  })

  test('are answered for exactly their names', async () => {
    await om.getKey({ ...keyRef, key: 'l' })
    await om.getKey({ ...keyRef, bucket: 'c' })
    await om.getVolume('w')
    await om.getBucket({ ...ref, bucket: 'c' })
    expect(counting.asked).toEqual(['getKey', 'getKey', 'getVolume', 'lookup c'])
  })

  test('are thrown as refusals where there are none', async () => {
    counting.missing = true
    nowMs += 1_000
    await expect(om.getBucket(ref)).rejects.toMatchObject({ code: 'BucketNotFound', details: { of: 'BucketNotFound' } })
    expect(() => om.getBucket(ref)).toThrow(StoreError)
    expect(() => om.getVolume('v')).toThrow(expect.objectContaining({ code: 'VolumeNotFound' }) as Error)
    expect(counting.asked).toEqual(['lookup b'])
  })

  test('a key is given once: who asks again wants to know what it is by now', async () => {
    counting.version = 2
    expect(om.getKey(keyRef)).toEqual({ version: 1 })
    expect(await om.getKey(keyRef)).toEqual({ version: 2 })
  })

  test('are not given out when a second has passed; a bucket comes again with its volume', async () => {
    counting.version = 2
    nowMs += 999
    expect(om.getBucket(ref)).toEqual({ version: 1 })
    nowMs += 1
    expect(await om.getKey(keyRef)).toEqual({ version: 2 })
    expect(await om.getBucket(ref)).toEqual({ version: 2 })
    expect(om.getVolume('v')).toEqual({ version: 2 })
    expect(counting.asked).toEqual(['getKey', 'lookup b'])
  })

  test('are not given out after the request has changed something', async () => {
    await om.execute({ kind: 'delete-volume', volume: 'w' })
    expect(await om.getKey(keyRef)).toEqual({ version: 2 })
    expect(await om.getBucket(ref)).toEqual({ version: 2 })
  })

  test('that were read before a change are not kept behind it', async () => {
    nowMs += 1_000
    let goOn = (): void => {}
    counting.until = new Promise((resolve) => (goOn = resolve))
    const reading = om.getBucket(ref)
    await om.execute({ kind: 'delete-volume', volume: 'w' })
    goOn()
    expect(await reading).toEqual({ version: 1 })
    expect(await om.getBucket(ref)).toEqual({ version: 2 })
  })

  test('are of the request that asked for them, and of the OM', async () => {
    const clock = { monotonicMs: () => nowMs }
    const options = { om: counting, clock }
    const own = { ...foreseen }
    await RequestRows.lookup(own, 'AK', options)
    expect(RequestRows.of(own, options).bucket(ref)).toBeDefined()
    expect(RequestRows.of({ ...own }, options).bucket(ref)).toBeUndefined()
    expect(RequestRows.of(own, { om: new CountingOm(), clock }).bucket(ref)).toBeUndefined()
  })

  test('of more places than a lookup has are asked for later', async () => {
    const places = ['b', 'c', 'd'].map((bucket) => ({ volume: 'v', bucket }))
    await RequestRows.lookup({ places }, 'AK', { om: counting, clock: { monotonicMs: () => nowMs } })
    expect(counting.asked).toEqual(['lookup AK b c'])
  })
})
