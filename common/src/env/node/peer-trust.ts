/** What is believed of the other end of a TLS connection, and why not, in words. */

import type tls from 'node:tls'
import { StoreError } from '../../errors.ts'
import type { PeerCertificate } from '../env.ts'

/** The certificate as far as it is verified; undefined for one that OpenSSL did not verify or that names nobody. */
export function certificateOf(socket: tls.TLSSocket): PeerCertificate | undefined {
  if (!socket.authorized) return undefined
  const certificate = socket.getPeerX509Certificate()
  // One name, and nothing beside it: what is ambiguous is nobody's.
  const name = /^URI:([\w:/.-]+)$/.exec(certificate?.subjectAltName ?? '')?.[1]
  return certificate === undefined || name === undefined ? undefined : { name, serial: certificate.serialNumber }
}

/** Why OpenSSL did not verify it. */
export function distrustOf(socket: tls.TLSSocket): string {
  const error: unknown = socket.authorizationError
  return wordsOf(error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error))
}

/**
 * A handshake that failed: `Unauthenticated` when one end does not believe the other or does not speak TLS, `Unavailable`
 * when it broke.
 */
export function refusalOf(error: NodeJS.ErrnoException, remote: string): StoreError {
  const code = error.code ?? error.message
  const isBroken = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_TLS_HANDSHAKE_TIMEOUT'].includes(code)
  const message = `${remote}: ${wordsOf(code)}`
  return new StoreError(isBroken ? 'Unavailable' : 'Unauthenticated', message, {
    details: { errno: code },
    cause: error,
  })
}

const words: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet; do the clocks agree?',
  INVALID_PURPOSE: 'the certificate is not made for this use',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is of another authority',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate is of another authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is of another authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is of another authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is of another authority',
  CERT_SIGNATURE_FAILURE: 'the certificate is of another authority',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the other end does not speak TLS',
  ERR_SSL_HTTP_REQUEST: 'the other end does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the other end does not speak TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the other end speaks no TLS 1.3',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the other end speaks no TLS 1.3',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'the other end speaks another protocol within TLS',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'the handshake was not finished in time',
  ECONNRESET: 'the connection broke during the handshake',
}

function wordsOf(code: string): string {
  return words[code] ?? `TLS failed (${code})`
}
