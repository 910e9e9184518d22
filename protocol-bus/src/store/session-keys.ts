/** Keys of one caller: the hot path of the store. */

import { isStoreError, StoreError } from '@o3/common/errors'
import type { Key } from '@o3/om/api'
import type {
  BucketRef,
  ByteSource,
  Checksum,
  CopyOptions,
  DeleteManyResult,
  GetOptions,
  GetResult,
  KeyAttributes,
  KeyBody,
  KeyCommit,
  KeyInfo,
  KeyRef,
  Keys,
  ListKeysOptions,
  ListedKey,
  Page,
  Preconditions,
  Principal,
  PutOptions,
} from '../api/api.ts'
import type { Grant } from '../core/authorize.ts'
import { judgeCopySource, judgeRead } from '../core/conditions.ts'
import { judgeKeyName } from '../core/key-name.ts'
import { pageLimit } from '../core/page-limit.ts'
import { resolveRange } from '../core/range.ts'
import type { ByteRange } from '../core/range.ts'
import { digestBody } from './body-digests.ts'
import { base64Of } from './digest-text.ts'
import type { StoreParts } from './parts.ts'
import { agreed, refuseAborted } from './refused.ts'
import { scopedRequestId } from './request-scope.ts'

const maxDeletes = 1000
/** A copy's source that changes between its lookup and the commit is looked up again, this often. */
const copyAttempts = 3

export class SessionKeys implements Keys {
  private readonly parts: StoreParts
  private readonly principal: Principal

  constructor(parts: StoreParts, principal: Principal) {
    this.parts = parts
    this.principal = principal
  }

  async put(ref: KeyRef, body: ByteSource, options: PutOptions): Promise<KeyCommit> {
    const { rights, writer, namespace } = this.parts
    const asked = rights.onBucket(this.principal, 'key:write', ref)
    const grant = asked instanceof Promise ? await asked : asked
    agreed(judgeKeyName(ref.key))
    const writing = writer.write(grant, body, options)
    const written = writing instanceof Promise ? await writing : writing
    try {
      const attributes = options.finish(written.digests, written.size)
      refuseAborted(options.signal)
      // Once more: a body may take hours, and rights, and the bucket of that name, may be others by now.
      const again = rights.onBucket(this.principal, 'key:write', ref)
      return await namespace.commitKey(
        again instanceof Promise ? await again : again,
        {
          key: ref.key,
          owner: this.principal.user,
          size: written.size,
          content: written.content,
          attributes,
          preconditions: options.preconditions,
        },
        scopedRequestId({ principal: this.principal, operation: 'put', ref }, options.requestId),
      )
    } finally {
      written.release()
    }
  }

  /**
   * The bytes are those of one version. Where the key is overwritten between its lookup and the first read, and its
   * blocks are gone already, the new version is served.
   */
  async get(ref: KeyRef, options: GetOptions = {}): Promise<GetResult> {
    const asked = this.parts.rights.onBucket(this.principal, 'key:read', ref)
    const grant = asked instanceof Promise ? await asked : asked
    agreed(judgeKeyName(ref.key))
    const found = this.parts.namespace.key(grant, ref.key)
    const key = found instanceof Promise ? await found : found
    const range = judged(key, options)
    // Bytes that are here already are handed out; only a read from the disks is not begun in vain.
    if (key.content.kind !== 'inline') refuseAborted(options.signal)
    try {
      const opening = this.parts.reader.open(grant, key, range)
      return result(key, range, opening instanceof Promise ? await opening : opening)
    } catch (error) {
      if (!isStoreError(error, 'BlockNotFound')) throw error
      return this.getChanged(grant, key, options, error)
    }
  }

  async head(ref: KeyRef, options: GetOptions = {}): Promise<Omit<GetResult, 'body'>> {
    const asked = this.parts.rights.onBucket(this.principal, 'key:read', ref)
    const grant = asked instanceof Promise ? await asked : asked
    agreed(judgeKeyName(ref.key))
    const found = this.parts.namespace.key(grant, ref.key)
    const key = found instanceof Promise ? await found : found
    const { start, end } = judged(key, options)
    return { info: infoOf(key), start, end }
  }

  async list(ref: BucketRef, options: ListKeysOptions): Promise<Page<ListedKey>> {
    const grant = await this.parts.rights.onBucket(this.principal, 'bucket:list', ref)
    const limit = agreed(pageLimit(options.limit))
    if (limit === 0) return { items: [], truncated: false }
    const { prefix = '', delimiter = '', after = '' } = options
    return this.parts.namespace.listKeys(grant, { prefix, delimiter, after, limit })
  }

  async copy(source: KeyRef, target: KeyRef, options: CopyOptions): Promise<KeyCommit & { readonly info: KeyInfo }> {
    const { rights } = this.parts
    const from = await rights.onBucket(this.principal, 'key:read', source)
    const to = await rights.onBucket(this.principal, 'key:write', target)
    agreed(judgeKeyName(target.key))
    agreed(judgeKeyName(source.key))
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.copyOnce({ grant: from, key: source.key }, { grant: to, ref: target }, options)
      } catch (error) {
        if (!isStoreError(error, 'ConcurrentChange') || attempt === copyAttempts) throw error
      }
    }
  }

  async rename(ref: KeyRef, to: string, options: { readonly replace?: boolean } = {}): Promise<void> {
    const { rights, namespace } = this.parts
    const from = await rights.onBucket(this.principal, 'key:delete', ref)
    const into = await rights.onBucket(this.principal, 'key:write', ref)
    agreed(judgeKeyName(ref.key))
    agreed(judgeKeyName(to))
    await namespace.renameKey(from, into, { key: ref.key, to, replace: options.replace ?? false })
  }

  async delete(
    ref: KeyRef,
    options: { readonly preconditions?: Preconditions; readonly requestId?: string } = {},
  ): Promise<{ readonly existed: boolean }> {
    const grant = await this.parts.rights.onBucket(this.principal, 'key:delete', ref)
    agreed(judgeKeyName(ref.key))
    const { preconditions = {}, requestId } = options
    const scoped = scopedRequestId({ principal: this.principal, operation: 'delete', ref }, requestId)
    return { existed: await this.parts.namespace.deleteKey(grant, ref.key, preconditions, scoped) }
  }

  async deleteMany(
    ref: BucketRef,
    keys: readonly { readonly key: string; readonly ifMatch?: string }[],
  ): Promise<readonly DeleteManyResult[]> {
    const grant = await this.parts.rights.onBucket(this.principal, 'key:delete', ref)
    if (keys.length > maxDeletes) throw new StoreError('TooManyEntries', `at most ${maxDeletes} keys in one call`)
    if (keys.length === 0) return []
    const results = await this.parts.namespace.deleteKeys(grant, keys)
    return results.map((outcome): DeleteManyResult => {
      if ('existed' in outcome) return { key: outcome.key, kind: 'deleted', existed: outcome.existed }
      return { key: outcome.key, kind: 'refused', code: outcome.error, message: perKeyMessages[outcome.error] }
    })
  }

  async setTags(ref: KeyRef, tags: Readonly<Record<string, string>>): Promise<void> {
    const grant = await this.parts.rights.onBucket(this.principal, 'key:write', ref)
    agreed(judgeKeyName(ref.key))
    await this.parts.namespace.setKeyTags(grant, ref.key, tags)
  }

  /** The blocks of `before` are gone. Either there is a new version by now, or bytes are lost. */
  private async getChanged(
    grant: Grant<'key:read'>,
    before: Key,
    options: GetOptions,
    cause: StoreError,
  ): Promise<GetResult> {
    const key = await this.parts.namespace.key(grant, before.name)
    if (key.updateId === before.updateId) throw lost(cause)
    const range = judged(key, options)
    try {
      return result(key, range, await this.parts.reader.open(grant, key, range))
    } catch (error) {
      // Overwritten twice within one read: the caller's retry finds the latest.
      if (isStoreError(error, 'BlockNotFound')) {
        throw new StoreError('Busy', 'the key is being overwritten faster than it can be read', { cause: error })
      }
      throw error
    }
  }

  private async copyOnce(
    from: { readonly grant: Grant<'key:read'>; readonly key: string },
    to: { readonly grant: Grant<'key:write'>; readonly ref: KeyRef },
    options: CopyOptions,
  ): Promise<KeyCommit & { readonly info: KeyInfo }> {
    const { namespace } = this.parts
    const source = await namespace.key(from.grant, from.key)
    agreed(judgeCopySource(options.sourceConditions ?? {}, source))
    const checksum = await this.copiedChecksum(from.grant, source, options)
    const attributes: KeyAttributes = {
      ...attributesOf(source),
      ...options.attributes,
      ...(checksum === undefined ? {} : { checksum }),
    }
    const owner = this.principal.user
    const commit = await namespace.commitKey(
      to.grant,
      {
        key: to.ref.key,
        owner,
        size: source.size,
        content: namespace.copyContent(from.grant, { key: from.key, updateId: source.updateId }),
        attributes,
        preconditions: options.preconditions,
      },
      scopedRequestId({ principal: this.principal, operation: 'copy', ref: to.ref }, options.requestId),
    )
    const { modifiedMs, size, updateId } = commit
    return { ...commit, info: { ...attributes, name: to.ref.key, owner, modifiedMs, size, updateId } }
  }

  /** Undefined: the copy keeps what the source has. */
  private async copiedChecksum(
    grant: Grant<'key:read'>,
    source: Key,
    { checksum: asked }: CopyOptions,
  ): Promise<Checksum | undefined> {
    const has = source.checksum
    if (asked === undefined || (has?.algorithm === asked && has.type === 'full-object')) return undefined
    const body = await this.parts.reader.open(grant, source, { start: 0, end: source.size })
    const { [asked]: digest } = await digestBody(body, [asked], this.parts)
    return { algorithm: asked, type: 'full-object', value: base64Of(digest as Uint8Array) }
  }
}

const perKeyMessages = {
  PreconditionFailed: 'a precondition did not hold',
  KeyNotFound: 'no such key',
  InvalidName: 'not a valid key name',
  KeyTooLong: 'the key name is too long',
} as const

/** Conditions first, then the range: what has not changed has not changed in that range either. */
function judged(key: Key, { conditions, range }: GetOptions): ByteRange {
  if (conditions !== undefined) agreed(judgeRead(conditions, key))
  return agreed(resolveRange(range, key))
}

function result(key: Key, { start, end }: ByteRange, body: KeyBody): GetResult {
  return { info: infoOf(key), start, end, body }
}

const infos = new WeakMap<Key, KeyInfo>()

/** All of a row but where its bytes are, and what gives access to them; made once for a row that stays in OM's memory. */
export function infoOf(key: Key): KeyInfo {
  let info = infos.get(key)
  if (info === undefined) {
    const { content: _content, access: _access, ...rest } = key
    info = rest
    infos.set(key, info)
  }
  return info
}

function attributesOf(key: Key): KeyAttributes {
  const { etag, contentType, checksum, headers, metadata, tags } = key
  return {
    etag,
    headers,
    metadata,
    tags,
    ...(contentType === undefined ? {} : { contentType }),
    ...(checksum === undefined ? {} : { checksum }),
  }
}

function lost(cause: StoreError): StoreError {
  return new StoreError('Damaged', 'bytes of the key are missing', { details: cause.details, cause })
}
