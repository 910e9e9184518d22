/** A lookup on the wire: optional rows, and refusals as data. */

import { StoreError, storeErrorCodes } from '@o3/common/errors'
import type { ErrorRecord } from '@o3/common/errors'
import { listOf, optional, record, text } from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import type { Found, LookupAnswer, LookupRequest } from '../api/api.ts'
import * as r from './records.ts'

export const lookupRequest = record<LookupRequest>({
  accessKey: optional(text),
  places: listOf(record<LookupRequest['places'][number]>({ volume: text, bucket: optional(text) })),
  key: optional(r.keyRef),
  upload: optional(record<r.UploadRef>(r.uploadRef)),
})

export const lookupAnswer = record<LookupAnswer>({
  accessKey: optional(found(r.accessKey)),
  user: optional(found(r.user)),
  places: listOf(
    record<LookupAnswer['places'][number]>({ volume: optional(found(r.volume)), bucket: optional(found(r.bucket)) }),
  ),
  key: optional(found(r.key)),
  upload: optional(found(r.upload)),
})

function found<T>(codec: Codec<T>): Codec<Found<T>> {
  return {
    write(writer, value) {
      writer.bool(value.kind === 'row')
      if (value.kind === 'row') codec.write(writer, value.row)
      else text.write(writer, JSON.stringify(value.error))
    },
    read(reader) {
      if (reader.bool()) return { kind: 'row', row: codec.read(reader) }
      return { kind: 'refused', error: readError(text.read(reader)) }
    },
  }
}

const codes: ReadonlySet<unknown> = new Set(storeErrorCodes)

/** As the wire's own errors: JSON, for their details are open. */
function readError(json: string): ErrorRecord {
  try {
    const error = JSON.parse(json) as ErrorRecord
    if (codes.has(error.code) && typeof error.message === 'string') return error
  } catch (cause) {
    throw new StoreError('InvalidArgument', 'a refusal is not JSON', { cause })
  }
  throw new StoreError('InvalidArgument', 'a refusal is unknown')
}
