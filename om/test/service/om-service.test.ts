import { nullLogger } from '@o3/common/logger'
import { StoreError } from '@o3/common/errors'
import { SimulatedStore } from '@o3/ratis/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ListedUpload, OmClient } from '../../src/api/api.ts'
import { RemoteOm } from '../../src/client/client.ts'
import { defaultOmConfig } from '../../src/config.ts'
import { omRules } from '../../src/core/rules.ts'
import { OmService } from '../../src/service/om-service.ts'
import {
  attributesWith,
  bucketRef,
  commitInline,
  createBucket,
  createVolume,
  keyRef,
  prepare,
  uploadIdOf,
} from '../fixtures/commands.ts'
import { CountingScm, PureOm } from '../fixtures/pure-om.ts'
import { groupOf, serve, ways } from '../fixtures/wire.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error

/** OM on a machine with a disk, in virtual time. */
function onMachine(script: (om: OmService, machine: Machine) => Promise<void>): Promise<void> {
  const machine = new SimulatedStore(omRules, { seed: 1 })
  return machine.run(() => script(serviceOf(machine), machine))
}

type Machine = SimulatedStore<Parameters<OmService['execute']>[0], Awaited<ReturnType<OmService['execute']>>>

function serviceOf(machine: Machine, scm = new CountingScm()): OmService {
  const { clock } = machine.node.process
  return new OmService({ store: machine.store, scm, clock, config: defaultOmConfig, log: nullLogger })
}

async function fill(om: OmService): Promise<void> {
  await om.execute(createVolume)
  await om.execute(createBucket)
  await om.execute({ kind: 'create-user', user: 'ann', admin: true })
  await om.execute({ kind: 'create-access-key', id: 'AK1', user: 'ann', sealedSecret: new Uint8Array([1]) })
  await om.execute(commitInline('a/b/c', [1, 2, 3]))
}

describe('the hot reads', () => {
  test('answer at once what was just written', () =>
    onMachine(async (om) => {
      await fill(om)
      expect(om.getKey(keyRef('a/b/c'))).toMatchObject({ name: 'a/b/c', size: 3 })
      expect(om.getBucket(bucketRef)).toMatchObject({ name: 'bucket', usage: { bytes: 3, keys: 1 } })
      expect(om.getAccessKey('AK1')).toMatchObject({ id: 'AK1', user: 'ann' })
      await expect(om.getKey(keyRef('a/b'))).rejects.toThrow(code('KeyNotFound'))
      expect(() => om.getKey(keyRef('a/b'))).toThrow(code('KeyNotFound'))
    }))

  test('fetch what is not in memory, then answer at once', () =>
    onMachine(async (before, machine) => {
      await fill(before)
      await machine.store.close()
      await machine.restart('kill')
      const om = serviceOf(machine)
      const key = om.getKey(keyRef('a/b/c'))
      expect(key).toBeInstanceOf(Promise)
      expect(await key).toMatchObject({ name: 'a/b/c', etag: 'etag-1-2-3' })
      expect(om.getKey(keyRef('a/b/c'))).not.toBeInstanceOf(Promise)
      expect(await om.getAccessKey('AK1')).toMatchObject({ user: 'ann' })
      await expect(om.getKey(keyRef('a/x'))).rejects.toThrow(code('KeyNotFound'))
      await expect(om.getKey(keyRef('nowhere/at/all'))).rejects.toThrow(code('KeyNotFound'))
    }))

  test('of one request come together, whether they are in memory or not', () =>
    onMachine(async (before, machine) => {
      await fill(before)
      const request = { accessKey: 'AK1', places: [bucketRef], key: keyRef('a/b/c') }
      const cached = before.lookupRows(request)
      expect(cached).not.toBeInstanceOf(Promise)
      await machine.store.close()
      await machine.restart('kill')
      const om = serviceOf(machine)
      expect(om.lookupRows(request)).toBeInstanceOf(Promise)
      expect(await om.lookupRows(request)).toEqual(cached)
      expect(om.lookupRows(request)).not.toBeInstanceOf(Promise)
    }))
})

describe.each(ways)('the reads, %s', (_way, through) => {
  test.each([
    ['a bucket', (om: OmClient) => om.getBucket({ volume: 'vol', bucket: '日本' }), 'BucketNotFound'],
    ['a key of no bucket', (om: OmClient) => om.getKey({ ...bucketRef, bucket: 'b\0b', key: 'k' }), 'BucketNotFound'],
    ['a key that is no text', (om: OmClient) => om.getKey(keyRef('\ud800')), 'InvalidName'],
    ['a key that is too long', (om: OmClient) => om.getKey(keyRef('é'.repeat(600))), 'KeyTooLong'],
    ['an access key', (om: OmClient) => om.getAccessKey('日本'), 'AccessKeyNotFound'],
    ['a volume', (om: OmClient) => om.getVolume('nowhere'), 'VolumeNotFound'],
    ['a user', (om: OmClient) => om.getUser('nobody'), 'UserNotFound'],
    ['an upload', (om: OmClient) => om.getUpload({ ...keyRef('k'), upload: '日本' }), 'UploadNotFound'],
    ['parts', (om: OmClient) => om.listParts({ ...keyRef('k'), upload: 'u', after: 0, limit: 1 }), 'UploadNotFound'],
    ['parts by number', (om: OmClient) => om.getParts({ ...keyRef('k'), upload: 'u', numbers: [] }), 'UploadNotFound'],
    [
      'keys of no bucket',
      (om: OmClient) => om.listKeys({ ...bucketRef, bucket: 'x', ...everything }),
      'BucketNotFound',
    ],
    [
      'uploads of no bucket',
      (om: OmClient) => om.listUploads({ ...bucketRef, bucket: 'x', ...allUploads }),
      'BucketNotFound',
    ],
    [
      'buckets of no volume',
      (om: OmClient) => om.listBuckets({ volume: 'x', after: '', prefix: '', limit: 1 }),
      'VolumeNotFound',
    ],
    ['a page of -1', (om: OmClient) => om.listKeys({ ...bucketRef, ...everything, limit: -1 }), 'InvalidArgument'],
  ])('say what they do not find: %s', async (_what, read, expected) => {
    const om = new PureOm()
    prepare(om)
    await through(om.om, async (client) => {
      await expect((async () => read(client))()).rejects.toThrow(code(expected))
    })
  })
})

const everything = { prefix: '', delimiter: '', after: '', limit: 1000 }
const allUploads = { prefix: '', delimiter: '', keyMarker: '', uploadIdMarker: '', limit: 1000 }

describe.each(ways)('flat lists, %s', (_way, through) => {
  async function fillWithMany(om: OmClient): Promise<void> {
    await om.execute(createVolume)
    for (const bucket of ['abc', 'abd', 'b-1', 'b.1']) await om.execute({ ...createBucket, bucket } as never)
    for (const user of ['ann', 'bob']) await om.execute({ kind: 'create-user', user, admin: false })
    const keys = [
      ['AK1', 'bob'],
      ['AK2', 'ann'],
      ['AK3', 'bob'],
    ] as const
    for (const [id, user] of keys) {
      await om.execute({ kind: 'create-access-key', id, user, sealedSecret: new Uint8Array() })
    }
  }

  const withMany = (script: (om: OmClient) => Promise<void>): Promise<void> =>
    through(new PureOm().om, async (om) => {
      await fillWithMany(om)
      await script(om)
    })

  test.each([
    [{ after: '', prefix: '', limit: 10 }, ['abc', 'abd', 'b-1', 'b.1'], false],
    [{ after: '', prefix: '', limit: 2 }, ['abc', 'abd'], true],
    [{ after: 'abd', prefix: '', limit: 2 }, ['b-1', 'b.1'], false],
    [{ after: 'abc', prefix: 'a', limit: 2 }, ['abd'], false],
    [{ after: 'a', prefix: 'ab', limit: 1 }, ['abc'], true],
    [{ after: 'z', prefix: 'a', limit: 1 }, [], false],
    [{ after: '', prefix: '', limit: 0 }, [], false],
  ])('of buckets: %j', (query, names, truncated) =>
    withMany(async (om) => {
      const page = await om.listBuckets({ volume: 'vol', ...query })
      expect({ names: page.items.map(({ name }) => name), truncated: page.truncated }).toEqual({ names, truncated })
    }),
  )

  test('of users and their access keys', () =>
    withMany(async (om) => {
      const ids = async (query: object) =>
        (await om.listAccessKeys({ after: '', limit: 10, ...query })).items.map(({ id }) => id)
      expect((await om.listUsers({ after: 'ann', limit: 10 })).items.map(({ name }) => name)).toEqual(['bob'])
      expect(await ids({})).toEqual(['AK1', 'AK2', 'AK3'])
      expect(await ids({ after: 'AK1' })).toEqual(['AK2', 'AK3'])
      expect(await ids({ user: 'bob' })).toEqual(['AK1', 'AK3'])
      expect(await ids({ user: 'bob', after: 'AK1' })).toEqual(['AK3'])
      expect(await ids({ user: 'nobody' })).toEqual([])
      expect(await om.listAccessKeys({ user: 'bob', after: '', limit: 1 })).toMatchObject({ truncated: true })
    }))
})

describe.each(ways)('the list of uploads, %s', (_way, through) => {
  const letters = fc.array(fc.constantFrom('a', 'b', '/', '\0', 'é'), { minLength: 1, maxLength: 4 })
  const name = letters.map((all) => all.join(''))

  test('is what sorting and grouping everything gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { minLength: 1, maxLength: 12 }),
        fc.array(
          fc.record({
            prefix: fc.constantFrom('', 'a', 'a/', '/'),
            delimiter: fc.constantFrom('', '/', 'b', '//'),
            keyMarker: fc.oneof(fc.constant(''), name),
            marker: fc.option(fc.nat({ max: 11 }), { nil: undefined }),
            limit: fc.constantFrom(0, 1, 2, 1000),
          }),
          { minLength: 5, maxLength: 5 },
        ),
        async (keys, queries) => {
          const om = new PureOm()
          prepare(om)
          const uploads = keys.map((key) => ({ key, id: uploadIdOf(om.do(createUpload(key))) }))
          await through(om.om, async (client) => {
            for (const { marker, ...rest } of queries) {
              const uploadIdMarker = uploads[marker ?? -1]?.id ?? ''
              const query = { ...rest, uploadIdMarker }
              const page = await client.listUploads({ ...bucketRef, ...query })
              expect({ ...page, items: page.items.map(shown) }, JSON.stringify(query)).toEqual(expected(uploads, query))
            }
          })
        },
      ),
      { numRuns: 200 },
    )
  })

  const createUpload = (key: string) => {
    const { etag: _, ...attributes } = attributesWith('')
    return { kind: 'create-upload', ...keyRef(key), owner: 'ann', attributes } as const
  }

  const shown = (item: ListedUpload): string =>
    item.kind === 'prefix' ? `prefix ${item.prefix}` : `${item.upload.key} ${item.upload.id}`

  const bytes = (text: string): string => Buffer.from(text).toString('latin1')

  function expected(
    uploads: readonly { readonly key: string; readonly id: string }[],
    query: { prefix: string; delimiter: string; keyMarker: string; uploadIdMarker: string; limit: number },
  ) {
    const { prefix, delimiter, keyMarker, uploadIdMarker, limit } = query
    const sorted = uploads.toSorted((a, b) => (bytes(a.key) + a.id < bytes(b.key) + b.id ? -1 : 1))
    sorted.sort((a, b) => (a.key === b.key ? (a.id < b.id ? -1 : 1) : bytes(a.key) < bytes(b.key) ? -1 : 1))
    const lines = new Set<string>()
    for (const { key, id } of sorted.filter((each) => each.key.startsWith(prefix))) {
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      const common = key.slice(0, at + delimiter.length)
      const resumed = key === keyMarker && uploadIdMarker !== '' && id > uploadIdMarker
      if (at !== -1 && bytes(common) > bytes(keyMarker)) lines.add(`prefix ${common}`)
      if (at === -1 && (bytes(key) > bytes(keyMarker) || resumed)) lines.add(`${key} ${id}`)
    }
    return { items: [...lines].slice(0, limit), truncated: limit > 0 && lines.size > limit }
  }
})

/** The OM of a machine as a client on it, or on another, has it. */
const placed: readonly (readonly [string, (machine: Machine, om: OmService) => Promise<OmClient>])[] = [
  ['in one process', (_machine, om) => Promise.resolve(om)],
  [
    'over the wire',
    async ({ node, simulation }, om) => {
      await serve(om, node.process, node.name)
      return new RemoteOm(groupOf(simulation.node('client').boot(), node.name))
    },
  ],
]

describe.each(placed)('leases, %s', (_way, clientOf) => {
  test('come from a stock that SCM fills in batches', () =>
    onMachine(async (_, machine) => {
      const scm = new CountingScm()
      const om = await clientOf(machine, serviceOf(machine, scm))
      const lease = (count: number) => om.leaseBlocks({ holder: 'gateway', count, replication: 'RATIS/ONE' })
      const first = await lease(100)
      const second = await lease(100)
      expect([first.ranges, second.ranges]).toEqual([
        [{ container: 7, firstLocal: 1, count: 100 }],
        [{ container: 7, firstLocal: 101, count: 100 }],
      ])
      expect(scm.allocations).toBe(1)
      await lease(700)
      expect((await lease(2000)).ranges.reduce((sum, { count }) => sum + count, 0)).toBe(2000)
      expect(scm.allocations).toBeGreaterThan(1)
    }))

  test('asked for at once share no block', () =>
    onMachine(async (_, machine) => {
      const om = await clientOf(machine, serviceOf(machine))
      const asked = Array.from({ length: 20 }, () =>
        om.leaseBlocks({ holder: 'g', count: 300, replication: 'RATIS/ONE' }),
      )
      const taken = new Set<string>()
      for (const { ranges } of await Promise.all(asked)) {
        for (const { container, firstLocal, count } of ranges) {
          for (let i = 0; i < count; i++) taken.add(`${container}/${firstLocal + i}`)
        }
      }
      expect(taken.size).toBe(6000)
      expect(await om.audit()).toEqual([])
    }))

  test('pass on what SCM refuses, and are there again after it', () =>
    onMachine(async (_, machine) => {
      const scm = new CountingScm()
      const om = await clientOf(machine, serviceOf(machine, scm))
      scm.failure = new StoreError('OutOfSpace', 'no datanode has room')
      const asked = om.leaseBlocks({ holder: 'g', count: 1, replication: 'RATIS/ONE' })
      await expect(asked).rejects.toThrow(code('OutOfSpace'))
      scm.failure = undefined
      expect((await om.leaseBlocks({ holder: 'g', count: 1, replication: 'RATIS/ONE' })).ranges).toHaveLength(1)
    }))

  test('do not hand out stock that has grown old', () =>
    onMachine(async (_, machine) => {
      const om = await clientOf(machine, serviceOf(machine))
      const first = await om.leaseBlocks({ holder: 'g', count: 1, replication: 'RATIS/ONE' })
      await machine.simulation.clock.sleep(defaultOmConfig.stockMaxAgeMs + 1)
      const later = await om.leaseBlocks({ holder: 'g', count: 1, replication: 'RATIS/ONE' })
      expect(first.ranges[0]?.firstLocal).toBe(1)
      expect(later.ranges[0]?.firstLocal).toBe(defaultOmConfig.stockBlocks + 1)
    }))

  test('asked for again under the same id are the same, and cost no blocks', () =>
    onMachine(async (_, machine) => {
      const scm = new CountingScm()
      const om = await clientOf(machine, serviceOf(machine, scm))
      const request = { holder: 'g', count: 10, replication: 'RATIS/ONE' } as const
      const first = await om.leaseBlocks(request, { requestId: 'lease 1' })
      expect(await om.leaseBlocks(request, { requestId: 'lease 1' })).toEqual(first)
      expect(await om.leaseBlocks(request, { requestId: 'lease 2' })).toMatchObject({
        ranges: [{ container: 7, firstLocal: 11, count: 10 }],
      })
    }))

  test.each([
    [0, 'InvalidArgument'],
    [1.5, 'InvalidArgument'],
    [65_537, 'TooManyEntries'],
  ])('of %d blocks are refused', (count, expected) =>
    onMachine(async (local, machine) => {
      const om = await clientOf(machine, local)
      await expect((async () => om.leaseBlocks({ holder: 'g', count, replication: 'RATIS/ONE' }))()).rejects.toThrow(
        code(expected),
      )
    }),
  )
})
