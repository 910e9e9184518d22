import { digestOf } from '@o3/common/digest/node'
import { StoreError } from '@o3/common/errors'
import type {
  Checksum,
  KeyCommit,
  KeyRef,
  ListedUploadEntry,
  PartInfo,
  PartSummary,
  Principal,
  Upload,
  UploadId,
  Uploads,
} from '../../api/api.ts'
import { judgeCopySource } from '../../core/conditions.ts'
import { copiedPartEtag } from '../../core/part-etag.ts'
import { base64Of, hexOf, md5OfText } from '../../store/digest-text.ts'
import { collectBody, joined } from './body.ts'
import { agreed, bucketFor, once } from './context.ts'
import type { Place, ReferenceContext } from './context.ts'
import { keyOf } from './keys.ts'
import { checkAttributes } from './limits.ts'
import { byteOrder, commonPrefix, firstPage } from './listing.ts'
import { checkKeyName } from './names.ts'
import { uploadBytes } from './records.ts'
import type { StoredBucket, StoredPart, StoredUpload } from './records.ts'
import { checkQuotas, storeKey } from './store-key.ts'

const maxParts = 10_000

type NamedPart = Parameters<Uploads['complete']>[2][number]

export function referenceUploads(context: ReferenceContext, principal: Principal): Uploads {
  return {
    async start(ref, options) {
      const { bucket } = bucketFor(context, principal, 'key:write', ref)
      checkKeyName(ref.key)
      checkAttributes(options.attributes)
      const upload = {
        id: context.sequence().toString(16).padStart(16, '0'),
        key: ref.key,
        owner: principal.user,
        initiatedMs: context.clock.wallMs(),
        attributes: options.attributes,
        ...(options.checksum === undefined ? {} : { checksum: options.checksum }),
      }
      bucket.uploads.set(upload.id, { upload, parts: new Map() })
      return upload
    },

    async info(ref, id) {
      return uploadOf(bucketFor(context, principal, 'key:write', ref).bucket, ref, id).upload
    },

    async putPart(ref, id, number, body, options) {
      uploadOf(bucketFor(context, principal, 'key:write', ref).bucket, ref, id)
      checkPartNumber(number)
      const { bytes, digests } = await collectBody(body, options)
      const finished = options.finish(digests, bytes.length)
      return once(context, { principal, operation: 'part', ref, requestId: options.requestId }, () => {
        const place = bucketFor(context, principal, 'key:write', ref)
        return storePart(context, place, uploadOf(place.bucket, ref, id), { number, bytes, ...finished })
      })
    },

    async copyPart(ref, id, number, source, options) {
      const place = bucketFor(context, principal, 'key:write', ref)
      const upload = uploadOf(place.bucket, ref, id)
      const { bucket } = bucketFor(context, principal, 'key:read', source)
      checkPartNumber(number)
      const { info, bytes } = keyOf(bucket, source)
      const refusal = judgeCopySource(options.sourceConditions ?? {}, info)
      if (refusal !== undefined) agreed(refusal)
      const { start, end } = options.range ?? { start: 0, end: info.size }
      // Unlike a read, the range of a copy is exact: S3 refuses one that reaches over the end.
      if (!(start >= 0 && start <= end && end <= info.size)) {
        throw new StoreError('InvalidRange', 'the range lies outside the key', { details: { size: info.size } })
      }
      const copied = bytes.subarray(start, end)
      return storePart(context, place, upload, {
        number,
        bytes: copied,
        ...copiedDigests(upload, { etag: info.etag, size: info.size, start, end }, copied),
      })
    },

    async parts(ref, id, options) {
      const { parts } = uploadOf(bucketFor(context, principal, 'key:write', ref).bucket, ref, id)
      const infos = [...parts.values()]
        .map(({ info }) => info)
        .filter(({ number }) => number > (options.after ?? 0))
        .toSorted((a, b) => a.number - b.number)
      return firstPage(infos, options.limit)
    },

    async complete(ref, id, named, options) {
      const place = bucketFor(context, principal, 'key:write', ref)
      const fingerprint = JSON.stringify([ref.key, named])
      checkKeyName(ref.key)
      const before = place.bucket.completed.get(id)
      if (before !== undefined && before.fingerprint === fingerprint) return before.commit
      const { upload } = uploadOf(place.bucket, ref, id)
      const parts = namedParts(uploadOf(place.bucket, ref, id), named, options.minPartBytes)
      const finished = options.finish(parts.map(({ info }) => info))
      const commit: KeyCommit = storeKey(context, place, {
        name: ref.key,
        owner: upload.owner,
        bytes: joined(parts.map(({ bytes }) => bytes)),
        attributes: { ...upload.attributes, ...finished },
        preconditions: options.preconditions,
        parts: parts.map(({ info }) => summaryOf(info)),
        freedBytes: uploadBytes(uploadOf(place.bucket, ref, id)),
      })
      place.bucket.uploads.delete(id)
      place.bucket.completed.set(id, { fingerprint, commit })
      return commit
    },

    async abort(ref, id) {
      const { bucket } = bucketFor(context, principal, 'key:write', ref)
      uploadOf(bucket, ref, id)
      bucket.uploads.delete(id)
    },

    async list(ref, options) {
      const { bucket } = bucketFor(context, principal, 'bucket:list', ref)
      return firstPage(listUploads(bucket, options), options.limit)
    },
  }
}

function uploadOf(bucket: StoredBucket, ref: KeyRef, id: UploadId): StoredUpload {
  checkKeyName(ref.key)
  const stored = bucket.uploads.get(id)
  if (stored === undefined || stored.upload.key !== ref.key) {
    throw new StoreError('UploadNotFound', 'no such upload', { details: { upload: id } })
  }
  return stored
}

function checkPartNumber(number: number): void {
  if (!Number.isInteger(number) || number < 1 || number > maxParts) {
    throw new StoreError('InvalidArgument', 'part numbers go from 1 to 10,000', { details: { number } })
  }
}

function storePart(
  context: ReferenceContext,
  place: Place,
  { parts }: StoredUpload,
  given: Pick<PartInfo, 'number' | 'etag' | 'checksum'> & { readonly bytes: Uint8Array },
): PartInfo {
  const info: PartInfo = {
    number: given.number,
    size: given.bytes.length,
    etag: given.etag,
    modifiedMs: context.clock.wallMs(),
    ...(given.checksum === undefined ? {} : { checksum: given.checksum }),
  }
  checkQuotas(place, { bytes: info.size - (parts.get(given.number)?.info.size ?? 0), keys: 0 })
  parts.set(given.number, { info, bytes: given.bytes })
  return info
}

/** `InvalidPartOrder`, then `InvalidPart`, then `PartTooSmall`. */
function namedParts({ parts }: StoredUpload, named: readonly NamedPart[], minPartBytes: number): StoredPart[] {
  if (named.length === 0) throw new StoreError('InvalidPart', 'an upload is completed from one part at least')
  for (const [index, { number }] of named.entries()) {
    if (index > 0 && number <= named[index - 1]!.number) {
      throw new StoreError('InvalidPartOrder', 'parts are named in ascending order')
    }
  }
  const found = named.map((name) => {
    const part = parts.get(name.number)
    const same =
      part?.info.etag === name.etag && (name.checksum ?? part.info.checksum?.value) === part.info.checksum?.value
    if (part === undefined || !same) {
      throw new StoreError('InvalidPart', 'a named part is not there, or is another one', {
        details: { number: name.number },
      })
    }
    return part
  })
  const small = found.slice(0, -1).find(({ info }) => info.size < minPartBytes)
  if (small !== undefined) {
    const { number, size, etag } = small.info
    throw new StoreError('PartTooSmall', 'a part but the last is too small', {
      details: { number, size, etag, minPartBytes },
    })
  }
  return found
}

function copiedDigests(
  { upload }: StoredUpload,
  source: { readonly etag: string; readonly size: number; readonly start: number; readonly end: number },
  bytes: Uint8Array,
): { readonly etag: string; readonly checksum?: Checksum } {
  if (upload.checksum === undefined) return { etag: copiedPartEtag(source, source, md5OfText) }
  const { algorithm } = upload.checksum
  return {
    etag: hexOf(digestOf('md5', bytes)),
    checksum: { algorithm, type: 'full-object', value: base64Of(digestOf(algorithm, bytes)) },
  }
}

function summaryOf({ number, size, checksum }: PartInfo): PartSummary {
  return { number, size, ...(checksum === undefined ? {} : { checksum: checksum.value }) }
}

function listUploads(bucket: StoredBucket, options: Parameters<Uploads['list']>[1]): ListedUploadEntry[] {
  const { prefix = '', delimiter = '', keyMarker = '', uploadIdMarker = '' } = options
  const sorted = [...bucket.uploads.values()]
    .map(({ upload }) => upload)
    .filter(({ key }) => key.startsWith(prefix))
    .toSorted((a, b) => byteOrder(a.key, b.key) || byteOrder(a.id, b.id))
  const entries: ListedUploadEntry[] = []
  const seen = new Set<string>()
  for (const upload of sorted) {
    const common = commonPrefix(upload.key, prefix, delimiter)
    if (common === undefined) {
      if (isBehind(upload, keyMarker, uploadIdMarker)) entries.push({ kind: 'upload', upload })
    } else if (!seen.has(common) && byteOrder(common, keyMarker) > 0) {
      seen.add(common)
      entries.push({ kind: 'prefix', prefix: common })
    }
  }
  return entries
}

/** An upload marker says which uploads of the marker's own key are behind it; without one, none are. */
function isBehind(upload: Upload, keyMarker: string, uploadIdMarker: string): boolean {
  if (upload.key !== keyMarker) return byteOrder(upload.key, keyMarker) > 0
  return uploadIdMarker !== '' && byteOrder(upload.id, uploadIdMarker) > 0
}
