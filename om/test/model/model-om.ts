/**
 * OM as one would first think of it: maps of maps, bytes as lists of what each byte is, everything counted when it is
 * asked for. It decides what a command does and which code refuses it; only ids and times come from the real reply.
 */

import { utf8Length } from '@o3/common/codec'
import type { StoreErrorCode } from '@o3/common/errors'
import type {
  Content,
  Extent,
  KeyAttributes,
  KeyRef,
  NewContent,
  OmCommand,
  OmReply,
  Preconditions,
  Quota,
} from '../../src/api/api.ts'

/** What one byte is: `=5` inline, or its block and place in it. */
type Atom = string

export interface ModelKey {
  readonly bytes: readonly Atom[]
  readonly owner: string
  readonly attributes: KeyAttributes
  readonly updateId: number
  readonly modifiedMs: number
  readonly parts?: readonly { readonly number: number; readonly size: number }[]
}

interface ModelPart {
  readonly bytes: readonly Atom[]
  readonly etag: string
}

interface ModelUpload {
  readonly key: string
  readonly owner: string
  readonly attributes: Omit<KeyAttributes, 'etag' | 'checksum'>
  readonly parts: Map<number, ModelPart>
}

interface ModelBucket {
  owner: string
  quota: Quota
  readonly keys: Map<string, ModelKey>
  readonly uploads: Map<string, ModelUpload>
  readonly completed: Map<string, { readonly asked: string; readonly reply: OmReply }>
}

interface ModelVolume {
  owner: string
  quota: Quota
  members: Map<string, string>
  readonly buckets: Map<string, ModelBucket>
}

interface ModelLease {
  expiresMs: number
  readonly blocks: ReadonlySet<string>
  readonly committed: Set<string>
}

/** Ends the command, changing nothing: the model throws before it writes. */
class Refused extends Error {
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode) {
    super(code)
    this.code = code
  }
}

/** Made once each: a stack costs more than a command. */
const refusals = new Map<StoreErrorCode, Refused>()

const refuse = (code: StoreErrorCode): never => {
  const refused = refusals.get(code) ?? new Refused(code)
  refusals.set(code, refused)
  throw refused
}

type CommandOf<Kind extends OmCommand['kind']> = Extract<OmCommand, { kind: Kind }>
type KeyReply = Extract<OmReply, { kind: 'key' }>

export class ModelOm {
  readonly volumes = new Map<string, ModelVolume>()
  readonly users = new Map<string, { admin: boolean; enabled: boolean; accessKeys: Set<string> }>()
  readonly accessKeys = new Map<string, { readonly user: string; enabled: boolean }>()
  readonly leases = new Map<number, ModelLease>()
  readonly everLeased = new Set<string>()
  nowMs: number

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  /** The code that refuses the command; undefined when it is done. `reply` is what the real one answered, for its ids. */
  apply(command: OmCommand, reply: OmReply | StoreErrorCode): StoreErrorCode | undefined {
    try {
      this.#apply(command, reply as OmReply)
      return undefined
    } catch (error) {
      if (error instanceof Refused) return error.code
      throw error
    }
  }

  bucketOf(ref: { readonly volume: string; readonly bucket: string }): ModelBucket {
    return this.volumes.get(ref.volume)?.buckets.get(ref.bucket) ?? refuse('BucketNotFound')
  }

  /** Of all keys and parts, and those that a lease has not given out yet. */
  blocksInUse(): Set<string> {
    const used = new Set<string>()
    const use = (bytes: readonly Atom[]): void => {
      for (const atom of bytes) if (!atom.startsWith('=')) used.add(atom.slice(0, atom.indexOf('+')))
    }
    for (const volume of this.volumes.values()) {
      for (const bucket of volume.buckets.values()) {
        for (const key of bucket.keys.values()) use(key.bytes)
        for (const upload of bucket.uploads.values()) for (const part of upload.parts.values()) use(part.bytes)
      }
    }
    for (const lease of this.leases.values()) {
      for (const block of lease.blocks) if (!lease.committed.has(block)) used.add(block)
    }
    return used
  }

  #apply(command: OmCommand, reply: OmReply): void {
    switch (command.kind) {
      case 'create-volume': {
        if (this.volumes.has(command.volume)) refuse('VolumeAlreadyExists')
        const { owner, quota } = command
        this.volumes.set(command.volume, { owner, quota, members: new Map(), buckets: new Map() })
        return
      }
      case 'update-volume': {
        const volume = this.volumes.get(command.volume) ?? refuse('VolumeNotFound')
        volume.owner = command.owner ?? volume.owner
        volume.quota = command.quota ?? volume.quota
        for (const [name, right] of Object.entries(command.members ?? {})) {
          if (right === null) volume.members.delete(name)
          else volume.members.set(name, right)
        }
        return
      }
      case 'delete-volume': {
        const volume = this.volumes.get(command.volume) ?? refuse('VolumeNotFound')
        if (volume.buckets.size > 0) refuse('VolumeNotEmpty')
        this.volumes.delete(command.volume)
        return
      }
      case 'create-bucket': {
        const volume = this.volumes.get(command.volume) ?? refuse('VolumeNotFound')
        if (volume.buckets.has(command.bucket)) refuse('BucketAlreadyExists')
        if (volume.buckets.size >= (volume.quota.buckets ?? Infinity)) refuse('QuotaExceeded')
        const { owner, quota } = command
        const empty = { keys: new Map(), uploads: new Map(), completed: new Map() }
        volume.buckets.set(command.bucket, { owner, quota, ...empty })
        return
      }
      case 'update-bucket': {
        const bucket = this.bucketOf(command)
        bucket.owner = command.owner ?? bucket.owner
        bucket.quota = command.quota ?? bucket.quota
        return
      }
      case 'delete-bucket': {
        const bucket = this.bucketOf(command)
        if (bucket.keys.size > 0 || bucket.uploads.size > 0) refuse('BucketNotEmpty')
        this.volumes.get(command.volume)?.buckets.delete(command.bucket)
        return
      }
      case 'commit-key':
        return this.#commitKey(command, reply as KeyReply)
      case 'delete-key': {
        const bucket = this.bucketOf(command)
        checkKey(command.key)
        judge(command.preconditions, bucket.keys.get(command.key))
        bucket.keys.delete(command.key)
        return
      }
      case 'delete-keys': {
        const bucket = this.bucketOf(command)
        for (const { key, ifMatch } of command.keys) {
          try {
            checkKey(key)
            judge(ifMatch === undefined ? {} : { ifMatch: [ifMatch] }, bucket.keys.get(key))
            bucket.keys.delete(key)
          } catch (error) {
            if (!(error instanceof Refused)) throw error
          }
        }
        return
      }
      case 'set-key-tags': {
        const bucket = this.bucketOf(command)
        checkKey(command.key)
        const key = bucket.keys.get(command.key) ?? refuse('KeyNotFound')
        const { updateId } = reply as KeyReply
        bucket.keys.set(command.key, { ...key, updateId, attributes: { ...key.attributes, tags: command.tags } })
        return
      }
      case 'rename-key':
        return this.#rename(command)
      case 'create-upload': {
        const bucket = this.bucketOf(command)
        checkKey(command.key)
        const { owner, attributes } = command
        const id = (reply as Extract<OmReply, { kind: 'upload' }>).upload
        bucket.uploads.set(id, { key: command.key, owner, attributes, parts: new Map() })
        return
      }
      case 'commit-part': {
        const upload = this.#upload(command)
        const { number, size } = command
        if (number < 1 || number > 10_000) refuse('InvalidArgument')
        const held = this.#hold(command.content, size)
        this.#checkQuotas(command, { bytes: size - (upload.parts.get(number)?.bytes.length ?? 0), keys: 0 })
        held.take()
        upload.parts.set(number, { bytes: held.bytes, etag: command.etag })
        return
      }
      case 'complete-upload':
        return this.#complete(command, reply as KeyReply)
      case 'abort-upload':
        this.#upload(command)
        this.bucketOf(command).uploads.delete(command.upload)
        return
      case 'create-user':
        if (this.users.has(command.user)) refuse('UserAlreadyExists')
        this.users.set(command.user, { admin: command.admin, enabled: true, accessKeys: new Set() })
        return
      case 'update-user': {
        const user = this.users.get(command.user) ?? refuse('UserNotFound')
        user.admin = command.admin ?? user.admin
        user.enabled = command.enabled ?? user.enabled
        return
      }
      case 'delete-user': {
        const user = this.users.get(command.user) ?? refuse('UserNotFound')
        if (this.owned(command.user) > 0) refuse('UserInUse')
        for (const id of user.accessKeys) this.accessKeys.delete(id)
        this.users.delete(command.user)
        return
      }
      case 'create-access-key': {
        const user = this.users.get(command.user) ?? refuse('UserNotFound')
        if (this.accessKeys.has(command.id)) refuse('KeyAlreadyExists')
        this.accessKeys.set(command.id, { user: command.user, enabled: true })
        user.accessKeys.add(command.id)
        return
      }
      case 'update-access-key': {
        const key = this.accessKeys.get(command.id) ?? refuse('AccessKeyNotFound')
        key.enabled = command.enabled
        return
      }
      case 'delete-access-key': {
        const key = this.accessKeys.get(command.id) ?? refuse('AccessKeyNotFound')
        this.accessKeys.delete(command.id)
        this.users.get(key.user)?.accessKeys.delete(command.id)
        return
      }
      case 'grant-lease': {
        const { lease } = reply as Extract<OmReply, { kind: 'lease' }>
        const blocks = command.ranges.flatMap(({ container, firstLocal, count }) =>
          Array.from({ length: count }, (_, i) => `${container}/${firstLocal + i}`),
        )
        for (const block of blocks) this.everLeased.add(block)
        const expiresMs = this.nowMs + command.durationMs
        this.leases.set(lease.id, { expiresMs, blocks: new Set(blocks), committed: new Set() })
        return
      }
      case 'renew-lease': {
        const lease = this.#lease(command.lease)
        lease.expiresMs = Math.max(lease.expiresMs, this.nowMs + command.durationMs)
        return
      }
      case 'end-lease':
        this.leases.delete(command.lease)
        return
      case 'purge-deleted-blocks':
        throw new Error('the model does not know the queue')
    }
  }

  /** Volumes and buckets. */
  owned(user: string): number {
    const volumes = [...this.volumes.values()]
    const buckets = volumes.flatMap((volume) => [...volume.buckets.values()])
    return [...volumes, ...buckets].filter(({ owner }) => owner === user).length
  }

  #commitKey(command: CommandOf<'commit-key'>, reply: KeyReply): void {
    const bucket = this.bucketOf(command)
    checkKey(command.key)
    const held = this.#hold(command.content, command.size)
    const before = bucket.keys.get(command.key)
    judge(command.preconditions, before)
    const bytes = command.size - (before?.bytes.length ?? 0)
    this.#checkQuotas(command, { bytes, keys: before === undefined ? 1 : 0 })
    held.take()
    const { owner, attributes } = command
    const { updateId, modifiedMs } = reply
    bucket.keys.set(command.key, { bytes: held.bytes, owner, attributes, updateId, modifiedMs })
  }

  #rename({ key, to, replace, ...ref }: CommandOf<'rename-key'>): void {
    const { keys } = this.bucketOf(ref)
    checkKey(to)
    if (key.endsWith('/') !== to.endsWith('/')) refuse('InvalidArgument')
    checkKey(key)
    if (!key.endsWith('/')) {
      const moved = keys.get(key) ?? refuse('KeyNotFound')
      if (key === to) return
      if (keys.has(to) && !replace) refuse('KeyAlreadyExists')
      keys.delete(key)
      keys.set(to, { ...moved, updateId: -1 })
      return
    }
    const moved = [...keys].filter(([name]) => name.startsWith(key))
    if (moved.length === 0) refuse('KeyNotFound')
    if (key === to) return
    if (to.startsWith(key)) refuse('InvalidArgument')
    if ([...keys.keys()].some((name) => name.startsWith(to))) refuse('DirectoryNotEmpty')
    for (const [name] of moved) keys.delete(name)
    for (const [name, row] of moved) keys.set(to + name.slice(key.length), row)
  }

  #complete(command: CommandOf<'complete-upload'>, reply: KeyReply): void {
    const bucket = this.bucketOf(command)
    checkKey(command.key)
    const asked = JSON.stringify([command.key, command.parts])
    if (!bucket.uploads.has(command.upload) && bucket.completed.get(command.upload)?.asked === asked) return
    const upload = this.#upload(command)
    const named = command.parts
    if (named.length === 0) refuse('InvalidPart')
    if (named.some(({ number }, i) => i > 0 && number <= (named[i - 1]?.number ?? 0))) refuse('InvalidPartOrder')
    const parts = named.map(({ number, etag }) => {
      const part = upload.parts.get(number) ?? refuse('InvalidPart')
      if (part.etag !== etag) refuse('InvalidPart')
      return { number, bytes: part.bytes }
    })
    if (parts.slice(0, -1).some(({ bytes }) => bytes.length < command.minPartBytes)) refuse('PartTooSmall')
    const before = bucket.keys.get(command.key)
    judge(command.preconditions, before)
    const bytes = parts.flatMap((part) => part.bytes)
    const uploaded = [...upload.parts.values()].reduce((sum, part) => sum + part.bytes.length, 0)
    const growth = bytes.length - (before?.bytes.length ?? 0) - uploaded
    this.#checkQuotas(command, { bytes: growth, keys: before === undefined ? 1 : 0 })
    const { updateId, modifiedMs } = reply
    const { owner } = upload
    bucket.uploads.delete(command.upload)
    bucket.completed.set(command.upload, { asked, reply })
    bucket.keys.set(command.key, {
      bytes,
      owner,
      attributes: { ...upload.attributes, etag: command.etag },
      updateId,
      modifiedMs,
      parts: parts.map(({ number, bytes: { length } }) => ({ number, size: length })),
    })
  }

  #upload(ref: KeyRef & { readonly upload: string }): ModelUpload {
    const bucket = this.bucketOf(ref)
    checkKey(ref.key)
    const upload = bucket.uploads.get(ref.upload)
    return upload !== undefined && upload.key === ref.key ? upload : refuse('UploadNotFound')
  }

  #lease(id: number): ModelLease {
    const lease = this.leases.get(id)
    return lease !== undefined && lease.expiresMs > this.nowMs ? lease : refuse('LeaseExpired')
  }

  /** The bytes, and what to do when the command succeeds. */
  #hold(content: NewContent, size: number): { readonly bytes: readonly Atom[]; take(): void } {
    switch (content.kind) {
      case 'inline': {
        const bytes = [...content.bytes].map((byte) => `=${byte}`)
        return bytes.length === size ? { bytes, take: () => {} } : refuse('InvalidArgument')
      }
      case 'leased':
        return this.#holdLeased([content], size)
      case 'leased-many':
        return this.#holdLeased(content.pieces, size)
      case 'copy': {
        const source = this.bucketOf(content.source).keys
        checkKey(content.source.key)
        const key = source.get(content.source.key) ?? refuse('KeyNotFound')
        if (key.updateId !== content.sourceUpdateId) refuse('ConcurrentChange')
        const { offset, length } = content.range ?? { offset: 0, length: key.bytes.length }
        if (offset < 0 || length < 0 || offset + length > key.bytes.length) refuse('InvalidRange')
        if (length !== size) refuse('InvalidArgument')
        return { bytes: key.bytes.slice(offset, offset + length), take: () => {} }
      }
    }
  }

  #holdLeased(pieces: readonly { readonly lease: number; readonly extents: readonly Extent[] }[], size: number) {
    const taken: (readonly [ModelLease, string])[] = []
    const bytes: Atom[] = []
    for (const { lease: id, extents } of pieces) {
      const lease = this.#lease(id)
      for (const { block, length } of extents) {
        const name = `${block.container}/${block.local}`
        const again = taken.some(([other, otherName]) => other === lease && otherName === name)
        if (!lease.blocks.has(name) || lease.committed.has(name) || again) refuse('LeaseExpired')
        taken.push([lease, name])
        for (let i = 0; i < length; i++) bytes.push(`${name}+${i}`)
      }
    }
    if (bytes.length !== size) refuse('InvalidArgument')
    return {
      bytes,
      take: () => {
        for (const [lease, name] of taken) lease.committed.add(name)
      },
    }
  }

  usageOf(bucket: ModelBucket): { bytes: number; keys: number } {
    let bytes = 0
    for (const key of bucket.keys.values()) bytes += key.bytes.length
    for (const upload of bucket.uploads.values()) for (const part of upload.parts.values()) bytes += part.bytes.length
    return { bytes, keys: bucket.keys.size }
  }

  usageOfVolume(volume: ModelVolume): { bytes: number; keys: number; buckets: number } {
    const total = { bytes: 0, keys: 0, buckets: volume.buckets.size }
    for (const bucket of volume.buckets.values()) {
      const { bytes, keys } = this.usageOf(bucket)
      total.bytes += bytes
      total.keys += keys
    }
    return total
  }

  #checkQuotas(ref: { volume: string; bucket: string }, growth: { bytes: number; keys: number }): void {
    const volume = this.volumes.get(ref.volume) ?? refuse('BucketNotFound')
    const bucket = this.bucketOf(ref)
    for (const [quota, used] of [
      [bucket.quota, this.usageOf(bucket)],
      [volume.quota, this.usageOfVolume(volume)],
    ] as const) {
      if (growth.bytes > 0 && used.bytes + growth.bytes > (quota.bytes ?? Infinity)) refuse('QuotaExceeded')
      if (growth.keys > 0 && used.keys + growth.keys > (quota.keys ?? Infinity)) refuse('QuotaExceeded')
    }
  }
}

/** Content as the model has it: what each byte is. */
export function atomsOf(content: Content): Atom[] {
  if (content.kind === 'inline') return [...content.bytes].map((byte) => `=${byte}`)
  return content.segments.flatMap((segment) => {
    if (segment.kind === 'inline') return [...segment.bytes].map((byte) => `=${byte}`)
    const { container, local } = segment.block
    return Array.from({ length: segment.length }, (_, i) => `${container}/${local}+${segment.offset + i}`)
  })
}

function checkKey(key: string): void {
  if (key === '' || !key.isWellFormed()) refuse('InvalidName')
  if (utf8Length(key) > 1024) refuse('KeyTooLong')
}

function judge({ ifMatch, ifNoneMatch }: Preconditions, key: ModelKey | undefined): void {
  const etag = key?.attributes.etag
  if (ifMatch !== undefined) {
    if (etag === undefined) refuse('KeyNotFound')
    else if (ifMatch !== '*' && !ifMatch.includes(etag)) refuse('PreconditionFailed')
  }
  if (ifNoneMatch !== undefined && etag !== undefined && (ifNoneMatch === '*' || ifNoneMatch.includes(etag))) {
    refuse('PreconditionFailed')
  }
}
