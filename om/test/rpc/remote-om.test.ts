import { nodeEnv } from '@o3/common/env/node'
import { StoreError } from '@o3/common/errors'
import { Secret } from '@o3/common/log'
import { nullLogger } from '@o3/common/logger'
import { GroupClient, RpcServer, keyClient, keyServer } from '@o3/common/rpc'
import { describe, expect, test } from 'vitest'
import type { OmClient, Part } from '../../src/api/api.ts'
import { RemoteOm } from '../../src/client/client.ts'
import { serveOm } from '../../src/rpc/rpc.ts'
import type { ServedOm } from '../../src/rpc/rpc.ts'
import { attributesWith, bucketRef, commitInline, keyRef, prepare, uploadIdOf } from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'
import { overTheWire } from '../fixtures/wire.ts'

const everything = { ...bucketRef, prefix: '', delimiter: '', after: '', limit: 10_000 }
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error

function filled(): { readonly pure: PureOm; readonly upload: string } {
  const pure = new PureOm()
  prepare(pure)
  pure.do({ kind: 'create-user', user: 'ann', admin: true })
  pure.do({ kind: 'create-access-key', id: 'AK1', user: 'ann', sealedSecret: new Uint8Array([7, 0, 255]) })
  for (const key of ['a', 'a/', 'a/b', '/', '\u0000', 'é\u{1f600}', '日本/語', '__proto__', 'z'.repeat(1024)]) {
    const rich = {
      ...attributesWith('e'),
      contentType: 'text/plain',
      checksum: { algorithm: 'sha1', type: 'composite', value: 'AAAA' },
      headers: { 'cache-control': 'no-cache' },
      metadata: JSON.parse('{"__proto__":"kept","höhe":"3 m"}') as Record<string, string>,
      tags: { '': 'empty' },
    } as const
    pure.do(commitInline(key, [1, 2, 255], { attributes: rich }))
  }
  const { etag: _, ...attributes } = attributesWith('')
  const upload = uploadIdOf(pure.do({ kind: 'create-upload', ...keyRef('up'), owner: 'ann', attributes }))
  return { pure, upload }
}

describe('every read of a remote OM answers as the OM itself', () => {
  const { pure, upload } = filled()
  const ref = { ...keyRef('up'), upload }

  test.each<[string, (om: OmClient) => unknown]>([
    ['getVolume', (om) => om.getVolume('vol')],
    ['listVolumes', (om) => om.listVolumes({ after: '', prefix: '', limit: 10 })],
    ['getBucket', (om) => om.getBucket(bucketRef)],
    ['listBuckets', (om) => om.listBuckets({ volume: 'vol', after: '', prefix: '', limit: 10 })],
    ['getKey', (om) => om.getKey(keyRef('日本/語'))],
    ['listKeys', (om) => om.listKeys(everything)],
    ['listKeys with a delimiter', (om) => om.listKeys({ ...everything, delimiter: '/' })],
    ['getUpload', (om) => om.getUpload(ref)],
    [
      'listUploads',
      (om) => om.listUploads({ ...bucketRef, prefix: '', delimiter: '', keyMarker: '', uploadIdMarker: '', limit: 9 }),
    ],
    ['listParts', (om) => om.listParts({ ...ref, after: 0, limit: 10 })],
    ['getParts', (om) => om.getParts({ ...ref, numbers: [1, 2] })],
    ['getUser', (om) => om.getUser('ann')],
    ['listUsers', (om) => om.listUsers({ after: '', limit: 10 })],
    ['getAccessKey', (om) => om.getAccessKey('AK1')],
    ['listAccessKeys', (om) => om.listAccessKeys({ after: '', limit: 10 })],
    ['audit', (om) => om.audit()],
  ])('%s', (_name, read) =>
    overTheWire(pure.om, async (remote) => {
      const answer = await read(remote)
      expect(answer).toEqual(await read(pure.om))
    }),
  )
})

describe('what is too much for one answer', () => {
  /** So much that a few hundred fill an answer. */
  const metadata = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`name-${n}`, 'x'.repeat(120)]))

  test('a page of keys ends early, and nothing is lost between two', async () => {
    const pure = new PureOm()
    prepare(pure)
    const names = Array.from({ length: 2_500 }, (_, n) => `key-${String(n).padStart(5, '0')}`)
    for (const name of names) pure.do(commitInline(name, [], { attributes: { ...attributesWith('e'), metadata } }))
    await overTheWire(pure.om, async (om) => {
      const found: string[] = []
      let pages = 0
      for (let more = true; more; pages++) {
        const page = await om.listKeys({ ...everything, after: found.at(-1) ?? '' })
        found.push(...page.items.map((item) => (item.kind === 'key' ? item.key.name : item.prefix)))
        more = page.truncated
      }
      expect(found).toEqual(names)
      expect(pages).toBeGreaterThan(1)
    })
  })

  test('parts come in several answers', async () => {
    const { pure } = filled()
    const content = { kind: 'inline', bytes: new Uint8Array(4_096) } as const
    const stored = Array.from({ length: 2_500 }, (_, n): Part => {
      return { number: 2 * n + 1, size: 4_096, etag: `e${n}`, modifiedMs: n, content }
    })
    const getParts: OmClient['getParts'] = async ({ numbers }) => {
      const wanted = new Set(numbers)
      return stored.filter(({ number }) => wanted.has(number))
    }
    const om: ServedOm = Object.assign(Object.create(pure.om) as ServedOm, { getParts })
    const numbers = Array.from({ length: 5_000 }, (_, n) => 5_000 - n)
    await overTheWire(om, async (remote) => {
      const found = await remote.getParts({ ...keyRef('up'), upload: 'u', numbers })
      expect(found.map(({ number }) => number)).toEqual(stored.map(({ number }) => number))
      expect(found.at(-1)).toEqual(stored.at(-1))
    })
  })
})

/** On this machine's own network, with keys. */
async function onLoopback(
  script: (om: RemoteOm, group: GroupClient) => Promise<void>,
  options: { readonly secret?: string; readonly admit?: () => void } = {},
): Promise<void> {
  const env = nodeEnv()
  const server = new RpcServer({
    network: env.network,
    clock: env.clock,
    tasks: env.tasks,
    log: nullLogger,
    authentication: keyServer(() => ({ secret: new Secret('shared'), peer: 'gateway' }), env.random),
    methods: serveOm<string>(filled().pure.om, options.admit === undefined ? {} : { admit: options.admit }),
  })
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })
  const secret = new Secret(options.secret ?? 'shared')
  const group = new GroupClient({
    env,
    name: 'om',
    members: [{ id: 'om1', address }],
    authentication: keyClient({ keyId: 'gateway', secret }, env.random),
  })
  try {
    await script(new RemoteOm(group), group)
  } finally {
    group.close()
    await server.close(0)
  }
}

describe('between processes', () => {
  test('a key is written and read', () =>
    onLoopback(async (om) => {
      await om.execute(commitInline('k', [1, 2, 3]))
      expect(await om.getKey(keyRef('k'))).toMatchObject({ name: 'k', size: 3, etag: 'etag-1-2-3' })
      await expect(om.getKey(keyRef('nothing'))).rejects.toThrow(code('KeyNotFound'))
    }))

  test('whoever lacks the key gets no answer', () =>
    onLoopback(
      async (om) => {
        await expect(om.getVolume('vol')).rejects.toThrow(code('Unauthenticated'))
      },
      { secret: 'another' },
    ))

  test('who may not, is refused before anything is read', () =>
    onLoopback(
      async (om) => {
        await expect(om.getVolume('vol')).rejects.toThrow(code('AccessDenied'))
      },
      {
        admit: () => {
          throw new StoreError('AccessDenied', 'no door of yours')
        },
      },
    ))
})
