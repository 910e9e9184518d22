import { baseHeaders, emptyAnswer } from '../answer/answer.ts'
import { checkVersionId } from '../objects/version-id.ts'
import { maxTaggingBytes, readTagging } from '../xml/read-tagging.ts'
import { accepted, keyOf } from './operation.ts'
import type { Operation } from './operation.ts'
import { requestDocument } from './request-document.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html */
export const putObjectTagging: Operation = {
  name: 'PutObjectTagging',
  method: 'PUT',
  level: 'object',
  query: ['tagging'],
  parameters: ['versionId'],
  headers: [],
  action: 'key:write',

  async handle(call) {
    checkVersionId(call.request.query.get('versionId'))
    const document = await requestDocument(call, { limit: maxTaggingBytes, digest: 'optional' })
    await call.session.keys.setTags(keyOf(call), accepted(readTagging(document, 'object')))
    return emptyAnswer(baseHeaders(call))
  },
}
