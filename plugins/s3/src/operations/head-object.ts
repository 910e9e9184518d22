import { baseHeaders } from '../answer/answer.ts'
import { pushObjectHeaders } from '../objects/object-headers.ts'
import { readingParameters, readObject } from '../objects/read-request.ts'
import { readConditionHeaders } from '../objects/conditions.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export const headObject: Operation = {
  name: 'HeadObject',
  method: 'HEAD',
  level: 'object',
  query: [],
  parameters: readingParameters,
  headers: [...readConditionHeaders, 'range', 'if-range', 'x-amz-checksum-mode'],
  action: 'key:read',

  async handle(call) {
    const { keys } = call.session
    const { result, reading } = await readObject(call, (options) => keys.head(keyOf(call), options))
    const headers = baseHeaders(call)
    pushObjectHeaders(headers, result, reading)
    return { status: reading.partial ? 206 : 200, headers }
  },
}
