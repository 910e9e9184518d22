import type { Checksum, PutOptions } from '@o3/protocol-bus/api'
import { baseHeaders, emptyAnswer } from '../answer/answer.ts'
import { decodeBody } from '../body/decode-body.ts'
import { writeConditionHeaders, writeConditions } from '../objects/conditions.ts'
import { describedAttributes, requestedTags } from '../objects/requested-attributes.ts'
import { pushChecksum } from '../objects/shown-checksums.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
export const putObject: Operation = {
  name: 'PutObject',
  method: 'PUT',
  level: 'object',
  query: [],
  parameters: [],
  headers: [...writeConditionHeaders, 'x-amz-tagging'],
  action: 'key:write',
  notes: ['`If-None-Match` takes `*` alone, `If-Match` also `*`.', 'At most 5 GiB.'],

  async handle(call) {
    const { request } = call
    const described = describedAttributes(request)
    const tags = requestedTags(request)
    const preconditions = writeConditions(request)
    const decoded = await decodeBody(call.body, request, call.authenticated)
    let checksum: Checksum | undefined
    const options: PutOptions = {
      ...(decoded.size === undefined ? undefined : { size: decoded.size }),
      digests: decoded.digests,
      finish(digests, size) {
        const checked = decoded.check(digests, size)
        checksum = checked.checksum
        return { ...checked, ...described, tags }
      },
      preconditions,
      // A body that is here already is waited for by nobody.
      ...(decoded.source instanceof Uint8Array ? undefined : { signal: call.signal }),
    }
    const { etag } = await call.session.keys.put(keyOf(call), decoded.source, options)
    const headers = baseHeaders(call)
    headers.push('etag', `"${etag}"`)
    if (checksum !== undefined) pushChecksum(headers, checksum, 0)
    return emptyAnswer(headers)
  },
}
