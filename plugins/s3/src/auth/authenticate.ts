/** Who sent this request, and did they send exactly this. The one verifier of signatures. */

import type { Clock } from '@o3/common/env'
import type { Credential, Identities, Principal } from '@o3/protocol-bus/api'
import type { S3Error } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import type { PayloadMode } from './payload-mode.ts'
import type { SigningContext } from './signing-key.ts'

export interface AuthenticateDependencies {
  readonly identities: Identities
  readonly clock: Pick<Clock, 'wallMs'>
  readonly region: string
}

export interface Authenticated {
  readonly kind: 'header' | 'presigned'
  readonly principal: Principal
  readonly credential: Credential
  /** What was promised about the body. */
  readonly payload: PayloadMode
  /** What the chunks of a streamed body are signed with. */
  readonly signing: SigningContext
}

/** Checks signatures; keeps the signing keys it derived. One per plugin instance. */
export interface Authenticator {
  /** Synchronous when the identity was at hand. */
  authenticate(request: S3Request): Authenticated | S3Error | Promise<Authenticated | S3Error>
}

export declare function createAuthenticator(dependencies: AuthenticateDependencies): Authenticator
