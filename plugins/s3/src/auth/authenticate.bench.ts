import { bench, describe } from 'vitest'
import { S3Error } from '../core/errors/s3-error.ts'
import { parseRequest } from '../core/request/s3-request.ts'
import { createAuthenticator } from './authenticate.ts'

// Amazon's published GET of an object (sig-v4-header-based-auth.html).
const headers = {
  Host: 'examplebucket.s3.amazonaws.com',
  Range: 'bytes=0-9',
  'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'x-amz-date': '20130524T000000Z',
  Authorization:
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
}
const rawHeaders = Object.entries(headers).flat()
const credential = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  principal: { user: 'example', admin: false },
}
const authenticator = createAuthenticator({
  identities: { lookup: () => credential },
  clock: { wallMs: () => Date.UTC(2013, 4, 24) },
  region: 'us-east-1',
})
const body = { length: 0, all: () => Promise.resolve(new Uint8Array()), stream: () => ({}) as never }
const { signal } = new AbortController()

/** As a socket gives them: strings that nobody has hashed or flattened yet. */
const fresh = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

function request() {
  const parsed = parseRequest(
    {
      id: 'r',
      method: 'GET',
      target: fresh('/test.txt'),
      rawHeaders: rawHeaders.map(fresh),
      remoteAddress: '',
      body,
      signal,
    },
    { virtualHostDomains: [] },
  )
  if (parsed instanceof S3Error) throw parsed
  return parsed
}

describe('a signed GET', () => {
  bench('parsed', () => {
    request()
  })

  bench('parsed and verified', () => {
    if (authenticator.authenticate(request()) instanceof S3Error) throw new Error('the signature is right')
  })
})
