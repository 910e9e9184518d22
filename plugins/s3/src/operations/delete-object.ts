import { noContent } from '../answer/answer.ts'
import { deleteConditions } from '../objects/conditions.ts'
import { checkVersionId } from '../objects/version-id.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html */
export const deleteObject: Operation = {
  name: 'DeleteObject',
  method: 'DELETE',
  level: 'object',
  query: [],
  parameters: ['versionId'],
  headers: ['if-match'],
  action: 'key:delete',

  async handle(call) {
    checkVersionId(call.request.query.get('versionId'))
    await call.session.keys.delete(keyOf(call), { preconditions: deleteConditions(call.request) })
    return noContent(call)
  },
}
