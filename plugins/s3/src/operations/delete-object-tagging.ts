import { noContent } from '../answer/answer.ts'
import { checkVersionId } from '../objects/version-id.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html */
export const deleteObjectTagging: Operation = {
  name: 'DeleteObjectTagging',
  method: 'DELETE',
  level: 'object',
  query: ['tagging'],
  parameters: ['versionId'],
  headers: [],
  action: 'key:write',

  async handle(call) {
    checkVersionId(call.request.query.get('versionId'))
    await call.session.keys.setTags(keyOf(call), {})
    return noContent(call)
  },
}
