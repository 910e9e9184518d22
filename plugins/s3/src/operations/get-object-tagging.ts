import { documentAnswer } from '../answer/answer.ts'
import { taggingDocument } from '../core/xml/write-result.ts'
import { checkVersionId } from '../objects/version-id.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html */
export const getObjectTagging: Operation = {
  name: 'GetObjectTagging',
  method: 'GET',
  level: 'object',
  query: ['tagging'],
  parameters: ['versionId'],
  headers: [],
  action: 'key:read',

  async handle(call) {
    checkVersionId(call.request.query.get('versionId'))
    const { info } = await call.session.keys.head(keyOf(call))
    return documentAnswer(call, taggingDocument(info.tags))
  },
}
