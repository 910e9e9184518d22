/** The account of Amazon's published examples, and an authenticator that knows it. */

import type { Credential, Identities } from '@o3/protocol-bus/api'
import { createAuthenticator } from '../../src/auth/authenticate.ts'
import type { Authenticated, Authenticator } from '../../src/auth/authenticate.ts'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import type { S3Request } from '../../src/core/request/s3-request.ts'

export const exampleCredential: Credential = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  principal: { user: 'example', admin: false },
}

export const exampleIdentities: Identities = {
  lookup: (id) => (id === exampleCredential.accessKeyId ? exampleCredential : undefined),
}

/** 2013-05-24T00:00:00Z. */
export const exampleTimeMs = Date.UTC(2013, 4, 24)

export function exampleAuthenticator(nowMs = exampleTimeMs, identities = exampleIdentities): Authenticator {
  return createAuthenticator({ identities, clock: { wallMs: () => nowMs }, region: 'us-east-1' })
}

/** For identities that are at hand: the answer, whatever it is. */
export function verdict(request: S3Request, authenticator = exampleAuthenticator()): Authenticated | S3Error {
  const answer = authenticator.authenticate(request)
  if (answer instanceof Promise) throw new Error('the identity was at hand, so the answer is too')
  return answer
}

/** `ok`, or the code of the refusal. */
export function verdictCode(request: S3Request, authenticator = exampleAuthenticator()): string {
  const answer = verdict(request, authenticator)
  return answer instanceof S3Error ? answer.code : 'ok'
}

export function accepted(request: S3Request, authenticator = exampleAuthenticator()): Authenticated {
  const answer = verdict(request, authenticator)
  if (answer instanceof S3Error) throw answer
  return answer
}
