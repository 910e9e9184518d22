import { digestOf } from '@o3/common/digest/node'
import { StoreError } from '@o3/common/errors'
import type {
  Checksum,
  ChecksumAlgorithm,
  DeleteManyResult,
  GetOptions,
  GetResult,
  KeyInfo,
  KeyRef,
  Keys,
  ListedKey,
  Preconditions,
  Principal,
} from '../../api/api.ts'
import { judgeCopySource, judgeRead, judgeWrite } from '../../core/conditions.ts'
import { resolveRange } from '../../core/range.ts'
import { base64Of } from '../../store/digest-text.ts'
import { collectBody } from './body.ts'
import { agreed, bucketFor, once } from './context.ts'
import type { Place, ReferenceContext } from './context.ts'
import { checkAttributes } from './limits.ts'
import { byteOrder, commonPrefix, firstPage } from './listing.ts'
import { checkKeyName } from './names.ts'
import { attributesOf } from './records.ts'
import type { StoredBucket, StoredKey } from './records.ts'
import { storeKey } from './store-key.ts'

const maxDeletes = 1000

export function referenceKeys(context: ReferenceContext, principal: Principal): Keys {
  return {
    async put(ref, body, options) {
      bucketFor(context, principal, 'key:write', ref)
      checkKeyName(ref.key)
      const { bytes, digests } = await collectBody(body, options)
      const attributes = options.finish(digests, bytes.length)
      return once(context, { principal, operation: 'put', ref, requestId: options.requestId }, () =>
        storeKey(context, bucketFor(context, principal, 'key:write', ref), {
          name: ref.key,
          owner: principal.user,
          bytes,
          attributes,
          preconditions: options.preconditions,
        }),
      )
    },

    async get(ref, options = {}) {
      const { bucket } = bucketFor(context, principal, 'key:read', ref)
      const { bytes, ...result } = find(bucket, ref, options)
      const body = bytes.subarray(result.start, result.end)
      return { ...result, body: { length: body.length, bytes: body } }
    },

    async head(ref, options = {}) {
      const { bucket } = bucketFor(context, principal, 'key:read', ref)
      const { info, start, end } = find(bucket, ref, options)
      return { info, start, end }
    },

    async list(ref, options) {
      const { bucket } = bucketFor(context, principal, 'bucket:list', ref)
      const { prefix = '', delimiter = '', after = '' } = options
      const entries: ListedKey[] = []
      const seen = new Set<string>()
      for (const name of [...bucket.keys.keys()].filter((key) => key.startsWith(prefix)).toSorted(byteOrder)) {
        const common = commonPrefix(name, prefix, delimiter)
        const shown = common ?? name
        if (seen.has(shown) || (after !== '' && byteOrder(shown, after) <= 0)) continue
        seen.add(shown)
        entries.push(
          common === undefined
            ? { kind: 'key', key: summaryOf(bucket.keys.get(name)!.info) }
            : { kind: 'prefix', prefix: common },
        )
      }
      return firstPage(entries, options.limit)
    },

    async copy(source, target, options) {
      const from = bucketFor(context, principal, 'key:read', source)
      const to = bucketFor(context, principal, 'key:write', target)
      checkKeyName(target.key)
      const found = keyOf(from.bucket, source)
      const refusal = judgeCopySource(options.sourceConditions ?? {}, found.info)
      if (refusal !== undefined) agreed(refusal)
      const checksum = copiedChecksum(found, options.checksum)
      const commit = once(context, { principal, operation: 'copy', ref: target, requestId: options.requestId }, () =>
        storeKey(context, to, {
          name: target.key,
          owner: principal.user,
          bytes: found.bytes,
          attributes: {
            ...attributesOf(found.info),
            ...options.attributes,
            ...(checksum === undefined ? {} : { checksum }),
          },
          preconditions: options.preconditions,
        }),
      )
      return { ...commit, info: keyOf(to.bucket, target).info }
    },

    async rename(ref, to, options = {}) {
      bucketFor(context, principal, 'key:delete', ref)
      const { bucket } = bucketFor(context, principal, 'key:write', ref)
      checkKeyName(ref.key)
      checkKeyName(to)
      if (ref.key.endsWith('/') !== to.endsWith('/')) {
        throw new StoreError('InvalidArgument', 'a directory is renamed to a directory and a key to a key')
      }
      if (ref.key.endsWith('/')) renameDirectory(bucket, ref.key, to)
      else renameKey(context, bucket, ref, { to, replace: options.replace ?? false })
    },

    async delete(ref, options = {}) {
      return once(context, { principal, operation: 'delete', ref, requestId: options.requestId }, () => ({
        existed: deleteKey(bucketFor(context, principal, 'key:delete', ref), ref.key, options.preconditions ?? {}),
      }))
    },

    async deleteMany(ref, keys) {
      const place = bucketFor(context, principal, 'key:delete', ref)
      if (keys.length > maxDeletes) throw new StoreError('TooManyEntries', 'at most 1,000 keys in one call')
      return keys.map(({ key, ifMatch }) => deleteOne(place, key, ifMatch))
    },

    async setTags(ref, tags) {
      const { bucket } = bucketFor(context, principal, 'key:write', ref)
      const { info, bytes } = keyOf(bucket, ref)
      checkAttributes({ ...info, tags })
      bucket.keys.set(ref.key, { info: { ...info, tags, updateId: context.sequence() }, bytes })
    },
  }
}

/** A listing does not show the parts. */
function summaryOf({ parts: _, ...info }: KeyInfo): KeyInfo {
  return info
}

export function keyOf(bucket: StoredBucket, ref: KeyRef): StoredKey {
  checkKeyName(ref.key)
  const key = bucket.keys.get(ref.key)
  if (key === undefined) throw new StoreError('KeyNotFound', 'no such key', { details: { key: ref.key } })
  return key
}

/** Conditions first, then the range: a key that has not changed has not changed in that range either. */
function find(bucket: StoredBucket, ref: KeyRef, options: GetOptions): Omit<GetResult, 'body'> & { bytes: Uint8Array } {
  const { info, bytes } = keyOf(bucket, ref)
  const refusal = judgeRead(options.conditions ?? {}, info)
  if (refusal !== undefined) agreed(refusal)
  const { start, end } = agreed(resolveRange(options.range, info))
  return { info, start, end, bytes }
}

/** A checksum of the whole, of the asked kind; undefined when the copy keeps what the source has. */
function copiedChecksum(source: StoredKey, asked: ChecksumAlgorithm | undefined): Checksum | undefined {
  const has = source.info.checksum
  if (asked === undefined || (has?.algorithm === asked && has.type === 'full-object')) return undefined
  const value = base64Of(digestOf(asked, source.bytes))
  return { algorithm: asked, type: 'full-object', value }
}

function renameKey(
  context: ReferenceContext,
  bucket: StoredBucket,
  ref: KeyRef,
  { to, replace }: { readonly to: string; readonly replace: boolean },
): void {
  const { info, bytes } = keyOf(bucket, ref)
  if (to === ref.key) return
  if (bucket.keys.has(to) && !replace) throw new StoreError('KeyAlreadyExists', 'the target exists already')
  bucket.keys.delete(ref.key)
  bucket.keys.set(to, { info: { ...info, name: to, updateId: context.sequence() }, bytes })
}

function renameDirectory(bucket: StoredBucket, from: string, to: string): void {
  const moved = [...bucket.keys.values()].filter(({ info }) => info.name.startsWith(from))
  if (moved.length === 0) throw new StoreError('KeyNotFound', 'no such directory', { details: { key: from } })
  if (to === from) return
  if (to.startsWith(from)) throw new StoreError('InvalidArgument', 'a directory cannot move into itself')
  if ([...bucket.keys.keys()].some((name) => name.startsWith(to))) {
    throw new StoreError('DirectoryNotEmpty', 'the target directory exists already')
  }
  const renamed = moved.map(({ info, bytes }) => ({
    info: { ...info, name: to + info.name.slice(from.length) },
    bytes,
  }))
  for (const { info } of renamed) checkKeyName(info.name)
  for (const { info } of moved) bucket.keys.delete(info.name)
  for (const key of renamed) bucket.keys.set(key.info.name, key)
}

function deleteKey(place: Place, name: string, preconditions: Preconditions): boolean {
  checkKeyName(name)
  const refusal = judgeWrite(preconditions, place.bucket.keys.get(name)?.info)
  if (refusal !== undefined) agreed(refusal)
  return place.bucket.keys.delete(name)
}

/** One key that is refused holds up none of the others. */
const perKey = ['PreconditionFailed', 'KeyNotFound', 'InvalidName', 'KeyTooLong'] as const

function deleteOne(place: Place, key: string, ifMatch: string | undefined): DeleteManyResult {
  try {
    const existed = deleteKey(place, key, ifMatch === undefined ? {} : { ifMatch: ifMatch === '*' ? '*' : [ifMatch] })
    return { key, kind: 'deleted', existed }
  } catch (error) {
    const { code: thrown, publicMessage } = StoreError.from(error)
    const code = perKey.find((candidate) => candidate === thrown)
    if (code === undefined) throw error
    return { key, kind: 'refused', code, message: publicMessage }
  }
}
