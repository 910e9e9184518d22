/** Multipart uploads of one caller. */

import { isStoreError, StoreError } from '@o3/common/errors'
import { maxParts } from '@o3/om/api'
import type { Key, Part } from '@o3/om/api'
import type {
  BucketRef,
  ByteSource,
  Checksum,
  KeyCommit,
  KeyRef,
  ListedUploadEntry,
  Page,
  PartInfo,
  PartPutOptions,
  Principal,
  ReadConditions,
  Upload,
  UploadId,
  Uploads,
} from '../api/api.ts'
import type { Grant } from '../core/authorize.ts'
import { judgeCopySource } from '../core/conditions.ts'
import { judgeKeyName } from '../core/key-name.ts'
import { pageLimit } from '../core/page-limit.ts'
import { copiedPartEtag } from '../core/part-etag.ts'
import type { ByteRange } from '../core/range.ts'
import { selectParts } from '../core/select-parts.ts'
import { digestBody } from './body-digests.ts'
import { base64Of, hexOf, md5OfText } from './digest-text.ts'
import type { StoreParts } from './parts.ts'
import { agreed, refuseAborted } from './refused.ts'
import { scopedRequestId } from './request-scope.ts'

type Named = Parameters<Uploads['complete']>[2]
type CompleteOptions = Parameters<Uploads['complete']>[3]

export class SessionUploads implements Uploads {
  private readonly store: StoreParts
  private readonly principal: Principal

  constructor(parts: StoreParts, principal: Principal) {
    this.store = parts
    this.principal = principal
  }

  async start(ref: KeyRef, options: Pick<Upload, 'attributes' | 'checksum'>): Promise<Upload> {
    const grant = await this.grantFor(ref)
    const { attributes, checksum } = options
    const given = { attributes, ...(checksum === undefined ? {} : { checksum }) }
    const { upload, initiatedMs } = await this.store.namespace.createUpload(grant, ref.key, given)
    return { id: upload, key: ref.key, owner: this.principal.user, initiatedMs, ...given }
  }

  async info(ref: KeyRef, upload: UploadId): Promise<Upload> {
    return this.store.namespace.upload(await this.grantFor(ref), ref.key, upload)
  }

  async putPart(
    ref: KeyRef,
    upload: UploadId,
    number: number,
    body: ByteSource,
    options: PartPutOptions,
  ): Promise<PartInfo> {
    const { writer, namespace } = this.store
    const grant = await this.grantFor(ref)
    // Before the body: gigabytes for an upload that does not exist are better refused early.
    await namespace.upload(grant, ref.key, upload)
    checkPartNumber(number)
    const written = await writer.write(grant, body, options)
    try {
      const finished = options.finish(written.digests, written.size)
      refuseAborted(options.signal)
      const given = { key: ref.key, upload, number, size: written.size, content: written.content, ...finished }
      const requestId = scopedRequestId({ principal: this.principal, operation: 'part', ref }, options.requestId)
      const { modifiedMs } = await namespace.commitPart(await this.grantFor(ref), given, requestId)
      return { number, size: written.size, modifiedMs, ...finished }
    } finally {
      written.release()
    }
  }

  async copyPart(
    ref: KeyRef,
    upload: UploadId,
    number: number,
    source: KeyRef,
    options: {
      readonly range?: { readonly start: number; readonly end: number }
      readonly sourceConditions?: ReadConditions
    },
  ): Promise<PartInfo> {
    const { namespace, rights } = this.store
    const grant = await this.grantFor(ref)
    const { checksum } = await namespace.upload(grant, ref.key, upload)
    const from = await rights.onBucket(this.principal, 'key:read', source)
    checkPartNumber(number)
    agreed(judgeKeyName(source.key))
    const key = await namespace.key(from, source.key)
    agreed(judgeCopySource(options.sourceConditions ?? {}, key))
    const range = exactRange(options.range, key.size)
    const digests =
      checksum === undefined
        ? { etag: copiedPartEtag(key, range, md5OfText) }
        : await this.digestsOfRange(from, key, { range, algorithm: checksum.algorithm })
    const size = range.end - range.start
    const content = namespace.copyContent(from, { key: source.key, updateId: key.updateId }, range)
    const given = { key: ref.key, upload, number, size, content, ...digests }
    const { modifiedMs } = await namespace.commitPart(grant, given, undefined)
    return { number, size, modifiedMs, ...digests }
  }

  async parts(
    ref: KeyRef,
    upload: UploadId,
    options: { readonly after?: number; readonly limit: number },
  ): Promise<Page<PartInfo>> {
    const { namespace } = this.store
    const grant = await this.grantFor(ref)
    const limit = agreed(pageLimit(options.limit))
    const { after = 0 } = options
    // Also where none are asked for: an upload that does not exist is to be told.
    const page = await namespace.listParts(grant, { key: ref.key, upload, after, limit: Math.max(1, limit) })
    if (limit === 0) return { items: [], truncated: false }
    return { items: page.items.map(partInfoOf), truncated: page.truncated }
  }

  async complete(ref: KeyRef, upload: UploadId, named: Named, options: CompleteOptions): Promise<KeyCommit> {
    const { namespace } = this.store
    const grant = await this.grantFor(ref)
    const { preconditions, minPartBytes } = options
    const finished = await this.finished(grant, { ref, upload, named, options })
    const completion = { key: ref.key, upload, parts: named, ...finished, preconditions, minPartBytes }
    return namespace.completeUpload(grant, completion)
  }

  async abort(ref: KeyRef, upload: UploadId): Promise<void> {
    await this.store.namespace.abortUpload(await this.grantFor(ref), ref.key, upload)
  }

  async list(
    ref: BucketRef,
    options: {
      readonly prefix?: string
      readonly delimiter?: string
      readonly keyMarker?: string
      readonly uploadIdMarker?: string
      readonly limit: number
    },
  ): Promise<Page<ListedUploadEntry>> {
    const grant = await this.store.rights.onBucket(this.principal, 'bucket:list', ref)
    const limit = agreed(pageLimit(options.limit))
    if (limit === 0) return { items: [], truncated: false }
    const { prefix = '', delimiter = '', keyMarker = '', uploadIdMarker = '' } = options
    return this.store.namespace.listUploads(grant, { prefix, delimiter, keyMarker, uploadIdMarker, limit })
  }

  private async grantFor(ref: KeyRef): Promise<Grant<'key:write'>> {
    const grant = await this.store.rights.onBucket(this.principal, 'key:write', ref)
    agreed(judgeKeyName(ref.key))
    return grant
  }

  /**
   * ETag and checksum of the whole. Of an upload that is gone there is nothing to compute: OM remembers how it was
   * completed, and answers a repetition without looking at these.
   */
  private async finished(
    grant: Grant<'key:write'>,
    asked: {
      readonly ref: KeyRef
      readonly upload: UploadId
      readonly named: Named
      readonly options: CompleteOptions
    },
  ): Promise<{ readonly etag: string; readonly checksum?: Checksum }> {
    const { ref, upload, named, options } = asked
    try {
      const numbers = named.map(({ number }) => number)
      const stored = await this.store.namespace.parts(grant, { key: ref.key, upload, numbers })
      const selected = agreed(selectParts(stored.map(partInfoOf), named, options.minPartBytes))
      return options.finish(selected)
    } catch (error) {
      if (isStoreError(error, 'UploadNotFound')) return { etag: '' }
      throw error
    }
  }

  private async digestsOfRange(
    grant: Grant<'key:read'>,
    key: Key,
    { range, algorithm }: { readonly range: ByteRange; readonly algorithm: Checksum['algorithm'] },
  ): Promise<{ readonly etag: string; readonly checksum: Checksum }> {
    const body = await this.store.reader.open(grant, key, range)
    const digests = await digestBody(body, ['md5', algorithm], this.store)
    return {
      etag: hexOf(digests.md5 as Uint8Array),
      checksum: { algorithm, type: 'full-object', value: base64Of(digests[algorithm] as Uint8Array) },
    }
  }
}

function checkPartNumber(number: number): void {
  if (Number.isInteger(number) && number >= 1 && number <= maxParts) return
  throw new StoreError('InvalidArgument', `part numbers go from 1 to ${maxParts}`, { details: { number } })
}

/** Unlike a read, the range of a copy is not clipped: S3 refuses one that reaches over the end. */
function exactRange(range: ByteRange | undefined, size: number): ByteRange {
  const { start, end } = range ?? { start: 0, end: size }
  if (start >= 0 && start <= end && end <= size) return { start, end }
  throw new StoreError('InvalidRange', 'the range lies outside the key', { details: { size } })
}

function partInfoOf(part: Part): PartInfo {
  const { content: _, ...info } = part
  return info
}
