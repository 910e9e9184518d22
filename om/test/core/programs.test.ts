import { isDeepStrictEqual } from 'node:util'
import { utf8ToBinary } from '@o3/common/codec'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KeyRef, OmCommand } from '../../src/api/api.ts'
import { commands } from '../../src/core/commands/commands.ts'
import { deletedBlocks } from '../../src/core/rows/block.ts'
import { PureOm } from '../fixtures/pure-om.ts'
import { atomsOf, ModelOm } from '../model/model-om.ts'
import { step } from '../model/programs.ts'
import type { Step } from '../model/programs.ts'

const startMs = 1_700_000_000_000

/** Of the commands that were not refused. */
const kinds = new Set<OmCommand['kind']>()

const short = (value: unknown, length: number): string => (JSON.stringify(value) ?? '').slice(0, length)

/** One program on both: the same refusals, and in the end the same namespace, counters and garbage. */
class Comparison {
  readonly real = new PureOm()
  readonly model = new ModelOm(startMs)
  readonly uploads: (KeyRef & { readonly upload: string })[] = []
  readonly leases: { readonly id: number; readonly container: number; readonly count: number }[] = []
  readonly #done: { readonly command: OmCommand; readonly reply: unknown }[] = []
  #containers = 0

  constructor() {
    const bucket = { owner: 'ann', quota: {}, replication: 'RATIS/ONE' } as const
    this.run({ kind: 'create-user', user: 'ann', admin: true })
    this.run({ kind: 'create-user', user: 'bob', admin: false })
    this.run({ kind: 'create-volume', volume: 'vol', owner: 'ann', quota: {} })
    this.run({ kind: 'create-bucket', volume: 'vol', bucket: 'one', ...bucket })
    this.run({ kind: 'create-bucket', volume: 'vol', bucket: 'two', ...bucket })
    const attributes = { headers: {}, metadata: {}, tags: {} }
    this.run({ kind: 'create-upload', volume: 'vol', bucket: 'one', key: 'a/b', owner: 'bob', attributes })
  }

  step(one: Step): void {
    const command = one({ ...this, nextContainer: () => ++this.#containers })
    if (command !== undefined) this.run(command)
    this.real.pure.advance(1)
    this.model.nowMs += 1
  }

  run(command: OmCommand): void {
    const reply = this.real.try(command)
    const refused = this.model.apply(command, reply)
    this.#done.push({ command, reply })
    this.#same(typeof reply === 'string' ? reply : undefined, refused)
    if (typeof reply === 'string') return
    kinds.add(command.kind)
    if (command.kind === 'create-upload' && reply.kind === 'upload') {
      const { volume, bucket, key } = command
      this.uploads.push({ volume, bucket, key, upload: reply.upload })
    }
    if (command.kind === 'grant-lease' && reply.kind === 'lease') {
      this.leases.push({ id: reply.lease.id, ...command.ranges[0]! })
    }
    if (command.kind === 'rename-key') this.#learnUpdateId({ ...command, key: command.to })
  }

  /** `expect` with a message costs more than a program; it is asked only when it will fail. */
  #same(real: unknown, modelled: unknown): void {
    if (!isDeepStrictEqual(real, modelled)) expect(real, this.#trace()).toEqual(modelled)
  }

  #trace(): string {
    return this.#done.map(({ command, reply }) => `${short(command, 300)} -> ${short(reply, 100)}`).join('\n')
  }

  /** A rename answers no update id. */
  #learnUpdateId(ref: KeyRef): void {
    if (ref.key.endsWith('/')) return
    const { keys } = this.model.bucketOf(ref)
    const key = this.real.om.getKey(ref)
    if (key instanceof Promise) throw new Error('a pure store answers at once')
    keys.set(ref.key, { ...keys.get(ref.key)!, updateId: key.updateId })
  }

  async compare(): Promise<void> {
    const { om } = this.real
    this.#same(await om.audit(), [])
    const volumes = await om.listVolumes({ after: '', prefix: '', limit: 100 })
    this.#same(
      volumes.items.map(({ name }) => name),
      [...this.model.volumes.keys()].toSorted(),
    )
    for (const [volume, modelled] of this.model.volumes) {
      const { usage, owner, quota, members } = await om.getVolume(volume)
      this.#same(
        { usage, owner, quota, members },
        {
          usage: this.model.usageOfVolume(modelled),
          owner: modelled.owner,
          quota: modelled.quota,
          members: Object.fromEntries(modelled.members),
        },
      )
      const buckets = await om.listBuckets({ volume, after: '', prefix: '', limit: 100 })
      this.#same(
        buckets.items.map(({ name }) => name),
        [...modelled.buckets.keys()].toSorted(),
      )
      for (const bucket of modelled.buckets.keys()) await this.#compareBucket(volume, bucket)
    }
    await this.#compareIdentities()
    this.#same(this.#garbage(), this.#expectedGarbage())
  }

  async #compareBucket(volume: string, bucket: string): Promise<void> {
    const { om } = this.real
    const modelled = this.model.bucketOf({ volume, bucket })
    const real = await om.getBucket({ volume, bucket })
    this.#same(
      { usage: real.usage, uploads: real.uploads, owner: real.owner, quota: real.quota },
      {
        usage: this.model.usageOf(modelled),
        uploads: modelled.uploads.size,
        owner: modelled.owner,
        quota: modelled.quota,
      },
    )
    const page = await om.listKeys({ volume, bucket, prefix: '', delimiter: '', after: '', limit: 1000 })
    const names = page.items.map((item) => (item.kind === 'key' ? item.key.name : 'no prefix was asked for'))
    this.#same(
      names,
      [...modelled.keys.keys()].toSorted((a, b) => (utf8ToBinary(a) < utf8ToBinary(b) ? -1 : 1)),
    )
    for (const [key, { bytes, attributes, ...rest }] of modelled.keys) {
      const { content, ...found } = await om.getKey({ volume, bucket, key })
      this.#same(
        { ...found, bytes: atomsOf(content) },
        { name: key, size: bytes.length, bytes, ...attributes, ...rest },
      )
    }
    for (const [upload, { key, parts }] of modelled.uploads) {
      const found = await om.listParts({ volume, bucket, key, upload, after: 0, limit: 100 })
      const shown = found.items.map(({ number, etag, content }) => [number, etag, atomsOf(content)] as const)
      this.#same(
        shown,
        [...parts].toSorted((a, b) => a[0] - b[0]).map(([n, { etag, bytes }]) => [n, etag, bytes]),
      )
    }
  }

  async #compareIdentities(): Promise<void> {
    const { om } = this.real
    const users = await om.listUsers({ after: '', limit: 100 })
    this.#same(
      users.items.map(({ name, admin, enabled }) => [name, { admin, enabled }]),
      [...this.model.users].map(([name, { admin, enabled }]) => [name, { admin, enabled }]).toSorted(),
    )
    const keys = await om.listAccessKeys({ after: '', limit: 100 })
    this.#same(
      keys.items.map(({ id, user, enabled }) => [id, { user, enabled }]),
      [...this.model.accessKeys].toSorted(),
    )
  }

  /** Every block that ever was under a lease, and is in no key, part or lease now. */
  #expectedGarbage(): string[] {
    const used = this.model.blocksInUse()
    return [...this.model.everLeased].filter((block) => !used.has(block)).toSorted()
  }

  #garbage(): string[] {
    return this.real.pure
      .rows(deletedBlocks)
      .flatMap(({ value }) => value.ranges)
      .flatMap(({ container, firstLocal, count }) =>
        Array.from({ length: count }, (_, i) => `${container}/${firstLocal + i}`),
      )
      .toSorted()
  }
}

test('random programs do what the model does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      const comparison = new Comparison()
      for (const one of steps) comparison.step(one)
      await comparison.compare()
    }),
    { numRuns: 2000 },
  )
}, 60_000)

test('they carried out every command', () => {
  expect([...kinds].toSorted()).toEqual(
    Object.keys(commands)
      .filter((kind) => kind !== 'purge-deleted-blocks')
      .toSorted(),
  )
})
