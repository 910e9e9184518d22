/** The document of a request, for the operations that have one. */

import { readDocument } from '../body/read-document.ts'
import type { DocumentOptions } from '../body/read-document.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import type { Call } from './operation.ts'

/** All of it, checked against what was promised of it; empty where the request has none. Throws `S3Error`. */
export function optionalDocument(call: Call, options: DocumentOptions): Promise<Uint8Array> {
  return readDocument(call.body, call.request, call.authenticated, options)
}

/** The same where there must be one: `MissingRequestBodyError`. */
export async function requestDocument(call: Call, options: DocumentOptions): Promise<Uint8Array> {
  const document = await optionalDocument(call, options)
  if (document.length === 0) throw new S3Error('MissingRequestBodyError')
  return document
}
