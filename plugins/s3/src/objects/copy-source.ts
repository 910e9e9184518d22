/** Where CopyObject and UploadPartCopy read from. */

import type { KeyRef } from '@o3/protocol-bus/api'
import { parseCopySource } from '../core/request/copy-source.ts'
import { accepted } from '../operations/operation.ts'
import type { Call } from '../operations/operation.ts'
import { checkOwner } from './expected-owner.ts'
import { sourceConditionHeaders } from './conditions.ts'
import { checkVersionId } from './version-id.ts'

/** What both honour. */
export const copySourceHeaders = ['x-amz-copy-source', 'x-amz-source-expected-bucket-owner', ...sourceConditionHeaders]

/** The source that `x-amz-copy-source` names. Throws `InvalidArgument`, and `AccessDenied` where it is another owner's than expected. */
export async function copySourceOf(call: Call): Promise<KeyRef> {
  const { headers } = call.request
  const { bucket, key, versionId } = accepted(parseCopySource(headers.get('x-amz-copy-source') ?? ''))
  checkVersionId(versionId)
  const source = { volume: call.gateway.config.volume, bucket, key }
  await checkOwner(call.session, source, headers.get('x-amz-source-expected-bucket-owner'))
  return source
}
