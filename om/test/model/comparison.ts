import { isDeepStrictEqual } from 'node:util'
import { utf8ToBinary } from '@o3/common/codec'
import type { StoreErrorCode } from '@o3/common/errors'
import type { BlockRange } from '@o3/scm/api'
import { expect } from 'vitest'
import type { KeyRef, OmClient, OmCommand, OmReply } from '../../src/api/api.ts'
import { deletedBlocks } from '../../src/core/rows/block.ts'
import type { OmStore } from '../fixtures/pure-om.ts'
import { atomsOf, ModelOm } from './model-om.ts'
import type { Step } from './programs.ts'

const short = (value: unknown, length: number): string => (JSON.stringify(value) ?? '').slice(0, length)

/** A real OM as a comparison needs it; behind it may be a machine that goes down and comes back. */
export interface ComparedOm {
  readonly om: OmClient
  readonly store: Pick<OmStore, 'read'>
  /** The reply, or the code of the refusal. Comes back with an answer, whatever happens meanwhile. */
  execute(command: OmCommand): Promise<OmReply | StoreErrorCode>
}

/** One program on both: the same refusals, and in the end the same namespace, counters and garbage. */
export class Comparison {
  readonly model: ModelOm
  /** Of the commands that were not refused. */
  readonly kinds = new Set<OmCommand['kind']>()
  readonly uploads: (KeyRef & { readonly upload: string })[] = []
  readonly leases: { readonly id: number; readonly container: number; readonly count: number }[] = []
  readonly #done: { readonly command: OmCommand; readonly reply: unknown }[] = []
  readonly #real: ComparedOm
  #containers = 0

  constructor(real: ComparedOm, nowMs: number) {
    this.#real = real
    this.model = new ModelOm(nowMs)
  }

  /** Two users, two buckets, an upload: programs do not have to find their way there. */
  async prepare(): Promise<void> {
    const bucket = { owner: 'ann', quota: {}, replication: 'RATIS/ONE' } as const
    await this.run({ kind: 'create-user', user: 'ann', admin: true })
    await this.run({ kind: 'create-user', user: 'bob', admin: false })
    await this.run({ kind: 'create-volume', volume: 'vol', owner: 'ann', quota: {} })
    await this.run({ kind: 'create-bucket', volume: 'vol', bucket: 'one', ...bucket })
    await this.run({ kind: 'create-bucket', volume: 'vol', bucket: 'two', ...bucket })
    const attributes = { headers: {}, metadata: {}, tags: {} }
    await this.run({ kind: 'create-upload', volume: 'vol', bucket: 'one', key: 'a/b', owner: 'bob', attributes })
  }

  /** What the step means now. */
  commandOf(step: Step): OmCommand | undefined {
    const { model, uploads, leases } = this
    return step({ model, uploads, leases, nextContainer: () => ++this.#containers })
  }

  async run(command: OmCommand): Promise<void> {
    const reply = await this.#real.execute(command)
    const refused = this.model.apply(command, reply)
    this.#done.push({ command, reply })
    this.#same(typeof reply === 'string' ? reply : undefined, refused)
    if (typeof reply === 'string') return
    this.kinds.add(command.kind)
    if (command.kind === 'create-upload' && reply.kind === 'upload') {
      const { volume, bucket, key } = command
      this.uploads.push({ volume, bucket, key, upload: reply.upload })
    }
    if (command.kind === 'grant-lease' && reply.kind === 'lease') {
      this.leases.push({ id: reply.lease.id, ...command.ranges[0]! })
    }
    if (command.kind === 'rename-key') await this.#learnUpdateId({ ...command, key: command.to })
  }

  /** `expect` with a message costs more than a program; it is asked only when it will fail. */
  #same(real: unknown, modelled: unknown): void {
    if (!isDeepStrictEqual(real, modelled)) expect(real, this.#trace()).toEqual(modelled)
  }

  #trace(): string {
    return this.#done.map(({ command, reply }) => `${short(command, 300)} -> ${short(reply, 100)}`).join('\n')
  }

  /** A rename answers no update id. */
  async #learnUpdateId(ref: KeyRef): Promise<void> {
    if (ref.key.endsWith('/')) return
    const { keys } = this.model.bucketOf(ref)
    const { updateId } = await this.#real.om.getKey(ref)
    keys.set(ref.key, { ...keys.get(ref.key)!, updateId })
  }

  async compare(): Promise<void> {
    const { om } = this.#real
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
    this.#same(await this.#garbage(), this.#expectedGarbage())
  }

  async #compareBucket(volume: string, bucket: string): Promise<void> {
    const { om } = this.#real
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
      // Tokens come only to those who ask from afar.
      const { content, access: _, ...found } = await om.getKey({ volume, bucket, key })
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
    const { om } = this.#real
    const users = await om.listUsers({ after: '', limit: 100 })
    this.#same(
      users.items.map(({ name, admin, enabled }) => [name, { admin, enabled }]),
      [...this.model.users].map(([name, { admin, enabled }]) => [name, { admin, enabled }] as const).toSorted(byName),
    )
    const keys = await om.listAccessKeys({ after: '', limit: 100 })
    this.#same(
      keys.items.map(({ id, user, enabled }) => [id, { user, enabled }]),
      [...this.model.accessKeys].toSorted(byName),
    )
  }

  /** Every block that ever was under a lease, and is in no key, part or lease now. */
  #expectedGarbage(): string[] {
    const used = this.model.blocksInUse()
    return [...this.model.everLeased].filter((block) => !used.has(block)).toSorted()
  }

  #garbage(): Promise<string[]> {
    return this.#real.store.read(async (view) => {
      const cursor = view.cursor(deletedBlocks, { from: '' })
      const rows = await cursor.next(100_000)
      await cursor.close()
      return rows.flatMap(({ value }) => value.ranges.flatMap(blocksOf)).toSorted()
    })
  }
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

function blocksOf({ container, firstLocal, count }: BlockRange): string[] {
  return Array.from({ length: count }, (_, i) => `${container}/${firstLocal + i}`)
}
