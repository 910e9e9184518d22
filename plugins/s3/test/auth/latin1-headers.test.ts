import { expect, test } from 'vitest'
import { s3Request } from '../request/http-request.ts'
import { verdictCode } from './example-account.ts'
import { signedHeaders } from './sign.ts'

/** A PUT whose metadata was signed as one text and sent as another; both as the bytes on the wire. */
function request(signedAs: string, sentAs: string) {
  const sketch = { method: 'PUT', target: '/bucket/key' }
  const headers = signedHeaders({ ...sketch, headers: [['x-amz-meta-note', signedAs]] })
  const sent = headers.map((header) => (header[0] === 'x-amz-meta-note' ? ([header[0], sentAs] as const) : header))
  return s3Request({ ...sketch, headers: sent })
}

const latin1 = 'gr\u00fcn'
const utf8 = 'gr\u00c3\u00bcn'

test.each([
  ['sent and signed in UTF-8', utf8, utf8, 'ok'],
  ['sent and signed in Latin-1', latin1, latin1, 'ok'],
  ['sent in Latin-1 and signed in UTF-8, as the JavaScript SDK does', utf8, latin1, 'ok'],
  ['sent in UTF-8 and signed in Latin-1', latin1, utf8, 'SignatureDoesNotMatch'],
  ['another text', utf8, 'gr\u00f6n', 'SignatureDoesNotMatch'],
])('metadata %s', (_, signedAs, sentAs, verdict) => {
  expect(verdictCode(request(signedAs, sentAs))).toBe(verdict)
})
