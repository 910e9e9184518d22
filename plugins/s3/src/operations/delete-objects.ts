import type { DeleteManyResult } from '@o3/protocol-bus/api'
import { documentAnswer } from '../answer/answer.ts'
import type { S3ErrorCode } from '../core/errors/codes.ts'
import { s3ErrorTable } from '../core/errors/codes.ts'
import { deleteDocument } from '../core/xml/write-result.ts'
import type { DeletedRow, DeleteErrorRow } from '../core/xml/write-result.ts'
import { maxDeleteBytes, readDelete } from '../xml/read-delete.ts'
import type { DeleteEntry } from '../xml/read-delete.ts'
import { accepted, bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'
import { requestDocument } from './request-document.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
export const deleteObjects: Operation = {
  name: 'DeleteObjects',
  method: 'POST',
  level: 'bucket',
  query: ['delete'],
  parameters: [],
  headers: [],
  action: 'key:delete',
  notes: [
    'Content-MD5 or any checksum of S3 will do; one must be there.',
    '`ETag` is a condition, as there; `LastModifiedTime` and `Size`, which S3 has for directory buckets only, are refused for their object.',
  ],

  async handle(call) {
    const document = await requestDocument(call, { limit: maxDeleteBytes, digest: 'required' })
    const { quiet, objects } = accepted(readDelete(document))
    const refused = objects.map(refusalOf)
    const keys = objects.filter((_, index) => refused[index] === undefined).map(wanted)
    const results = keys.length === 0 ? [] : await call.session.keys.deleteMany(bucketOf(call), keys)
    const deleted: DeletedRow[] = []
    const errors: DeleteErrorRow[] = []
    let next = 0
    for (const [index, entry] of objects.entries()) {
      // The store answers in the order it was asked in; rows come in the order of the document.
      const code = refused[index] ?? codeOf(results[next++] as DeleteManyResult)
      if (code !== undefined) errors.push({ ...named(entry), code, message: s3ErrorTable[code][1] })
      else if (!quiet) deleted.push(named(entry))
    }
    return documentAnswer(call, deleteDocument(deleted, errors))
  },
}

function wanted({ key, etag }: DeleteEntry): { readonly key: string; readonly ifMatch?: string } {
  return etag === undefined ? { key } : { key, ifMatch: etag }
}

function refusalOf(entry: DeleteEntry): S3ErrorCode | undefined {
  if (entry.lastModifiedTime !== undefined || entry.size !== undefined) return 'NotImplemented'
  return entry.versionId === undefined || entry.versionId === 'null' ? undefined : 'NoSuchVersion'
}

function named({ key, versionId }: DeleteEntry): DeletedRow {
  return versionId === undefined ? { key } : { key, versionId }
}

function codeOf(result: DeleteManyResult): S3ErrorCode | undefined {
  return result.kind === 'deleted' ? undefined : codes[result.code]
}

const codes = {
  PreconditionFailed: 'PreconditionFailed',
  KeyNotFound: 'NoSuchKey',
  InvalidName: 'InvalidURI',
  KeyTooLong: 'KeyTooLongError',
} as const satisfies Record<Extract<DeleteManyResult, { kind: 'refused' }>['code'], S3ErrorCode>
