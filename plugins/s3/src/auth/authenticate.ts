/** Who sent this request, and did they send exactly this. The one verifier of signatures. */

import { utf8ToBinary } from '@o3/common/codec'
import type { Clock } from '@o3/common/env'
import type { Credential, Foreseen, Identities, Principal } from '@o3/protocol-bus/api'
import { canonicalRequest, canonicalTargets } from '../core/auth/canonical-request.ts'
import type { CanonicalTarget } from '../core/auth/canonical-request.ts'
import { claimOf } from '../core/auth/claim.ts'
import type { Claim } from '../core/auth/claim.ts'
import { checkScopeDate, checkTime, scopeError } from '../core/auth/claim-checks.ts'
import { parseCredential, scopeFault } from '../core/auth/credential-scope.ts'
import type { ScopedCredential } from '../core/auth/credential-scope.ts'
import type { PayloadMode } from '../core/auth/payload-mode.ts'
import { checkSignedHeaders, parseSignedHeaders } from '../core/auth/signed-headers.ts'
import type { SignedHeaders } from '../core/auth/signed-headers.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import type { HmacKey } from './hmac-key.ts'
import { sha256Hex, signaturesEqual } from './signature.ts'
import { SigningKeys } from './signing-key.ts'
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
  /** Synchronous when the identity was at hand. Rejects only when the identities do, who get the hint `foreseen`. */
  authenticate(request: S3Request, foreseen?: Foreseen): Authenticated | S3Error | Promise<Authenticated | S3Error>
}

export function createAuthenticator(dependencies: AuthenticateDependencies): Authenticator {
  return new SignatureV4(dependencies)
}

class SignatureV4 implements Authenticator {
  readonly #dependencies: AuthenticateDependencies
  readonly #keys = new SigningKeys()
  /** A client covers the same headers in each of its requests. */
  readonly #headerLists = new Map<string, SignedHeaders>()

  constructor(dependencies: AuthenticateDependencies) {
    this.#dependencies = dependencies
  }

  authenticate(request: S3Request, foreseen?: Foreseen): Authenticated | S3Error | Promise<Authenticated | S3Error> {
    const claim = claimOf(request)
    if (claim instanceof S3Error) return claim
    const scoped = this.#keys.scopeOf(claim.credential) ?? this.#parseScope(claim)
    if (scoped instanceof S3Error) return scoped
    const headers = this.#headersOf(claim.signedHeaders)
    const refusal =
      checkScopeDate(claim, scoped.date) ??
      checkTime(claim, this.#dependencies.clock.wallMs()) ??
      checkSignedHeaders(request, headers)
    if (refusal !== undefined) return refusal
    const found = this.#dependencies.identities.lookup(scoped.accessKeyId, foreseen)
    const signed: Signed = { request, claim, headers, scoped }
    return found instanceof Promise ? found.then((late) => this.#verify(signed, late)) : this.#verify(signed, found)
  }

  #parseScope(claim: Claim): ScopedCredential | S3Error {
    const { region } = this.#dependencies
    const scoped = parseCredential(claim.credential)
    if (scoped === undefined) return scopeError(claim, { kind: 'malformed' }, region)
    const fault = scopeFault(scoped, region)
    return fault === undefined ? scoped : scopeError(claim, fault, region)
  }

  #headersOf(text: string): SignedHeaders {
    const known = this.#headerLists.get(text)
    if (known !== undefined) return known
    const parsed = parseSignedHeaders(text)
    if (text.length > maxKeptListLength) return parsed
    if (this.#headerLists.size === maxKeptLists) this.#headerLists.clear()
    this.#headerLists.set(text, parsed)
    return parsed
  }

  /** An unknown key does the work of a known one, with a secret that nobody has: time does not tell them apart. */
  #verify(signed: Signed, credential: Credential | undefined): Authenticated | S3Error {
    const { request, claim, scoped } = signed
    const key =
      credential === undefined
        ? this.#keys.keyForStranger(scoped)
        : this.#keys.keyFor(claim.credential, scoped, credential.secret)
    const scope = claim.credential.slice(scoped.accessKeyId.length + 1)
    const mismatch = checkSignature(signed, key, scope)
    if (credential === undefined) return unknownKey(scoped.accessKeyId)
    if (mismatch !== undefined) return mismatch
    // Temporary credentials do not exist here, so nothing is a valid token.
    if (request.headers.get('x-amz-security-token')) return new S3Error('InvalidToken')
    return {
      kind: claim.kind,
      principal: credential.principal,
      credential,
      payload: claim.payload,
      signing: { key, scope, timestamp: claim.timestamp, seedSignature: claim.signature },
    }
  }
}

/** Anybody can send lists, so few and short ones are kept. */
const maxKeptLists = 256
const maxKeptListLength = 512

interface Signed {
  readonly request: S3Request
  readonly claim: Claim
  readonly headers: SignedHeaders
  readonly scoped: ScopedCredential
}

function checkSignature(signed: Signed, key: HmacKey, scope: string): S3Error | undefined {
  const { request, claim } = signed
  const targets = canonicalTargets(request, claim)
  for (const target of targets) {
    const { toSign, canonical } = calculate(signed, scope, target)
    if (signaturesEqual(key.sign(toSign), claim.signature)) return undefined
    // A client may sign its header text in UTF-8 and send it in Latin-1 (the JavaScript SDK under Node does).
    const encoded = utf8ToBinary(canonical)
    if (encoded === canonical) continue
    if (signaturesEqual(key.sign(stringToSign(claim, scope, encoded)), claim.signature)) return undefined
  }
  return signatureMismatch(signed, calculate(signed, scope, targets[0]))
}

interface Calculation {
  readonly canonical: string
  readonly toSign: string
}

function calculate({ request, claim, headers }: Signed, scope: string, target: CanonicalTarget): Calculation {
  const canonical = canonicalRequest(request, claim, target, headers)
  return { canonical, toSign: stringToSign(claim, scope, canonical) }
}

function stringToSign(claim: Claim, scope: string, canonical: string): string {
  return `AWS4-HMAC-SHA256\n${claim.timestamp}\n${scope}\n${sha256Hex(canonical)}`
}

function unknownKey(accessKeyId: string): S3Error {
  return new S3Error('InvalidAccessKeyId', { elements: { AWSAccessKeyId: accessKeyId } })
}

/** S3 shows what it calculated with, which is all in the request; it is how people find out what their signer does. */
function signatureMismatch({ claim, scoped }: Signed, { toSign, canonical }: Calculation): S3Error {
  return new S3Error('SignatureDoesNotMatch', {
    elements: {
      AWSAccessKeyId: scoped.accessKeyId,
      StringToSign: toSign,
      SignatureProvided: claim.signature,
      StringToSignBytes: spacedHex(toSign),
      CanonicalRequest: canonical,
      CanonicalRequestBytes: spacedHex(canonical),
    },
  })
}

function spacedHex(bytes: string): string {
  return Buffer.from(bytes, 'latin1')
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ')
}
