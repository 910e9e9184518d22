/**
 * Who believes whom on the simulated network. The PEM texts are not read: two ends believe each other when they name the
 * same roots, and the text of a chain is its serial number.
 */

import { StoreError } from '../../errors.ts'
import type { PeerCertificate, SecureOptions } from '../env.ts'

interface End {
  readonly remote: string
  readonly security: SecureOptions | undefined
}

/** What each end shows the other. */
interface Meeting {
  readonly client: PeerCertificate | undefined
  readonly server: PeerCertificate | undefined
}

/** Or what the client is told; the listener hears of it. */
export function meetingOf(client: End, server: End): Meeting | StoreError {
  if (client.security === undefined && server.security === undefined) return { client: undefined, server: undefined }
  if (client.security === undefined || server.security === undefined) {
    const reason = new StoreError('Unauthenticated', `${server.remote}: the other end does not speak TLS`)
    server.security?.onRefused?.(client.remote, reason)
    return client.security === undefined
      ? new StoreError('Unavailable', `${server.remote} closed the connection`)
      : reason
  }
  const meeting = { client: shown(client.security), server: shown(server.security) }
  const refusal = refusalByClient(client.security, server, meeting) ?? refusalByServer(client, server.security, meeting)
  if (refusal === undefined) return meeting
  server.security.onRefused?.(client.remote, refusal)
  return refusal
}

function refusalByClient(own: SecureOptions, { remote, security }: End, meeting: Meeting): StoreError | undefined {
  if (own.credentials().roots !== security?.credentials().roots) {
    return new StoreError('Unauthenticated', `${remote}: the certificate is of another authority`)
  }
  if (meeting.server === undefined) return new StoreError('Unauthenticated', `${remote} has no certificate`)
  if (own.isRevoked?.(meeting.server) !== true) return undefined
  return new StoreError('Unauthenticated', `the certificate of ${meeting.server.name} at ${remote} was revoked`)
}

function refusalByServer({ remote }: End, own: SecureOptions, { client }: Meeting): StoreError | undefined {
  if (client === undefined && own.strangers !== 'admitted') {
    return new StoreError('Unauthenticated', `${remote}: a certificate is required, and none was shown`)
  }
  if (client === undefined || own.isRevoked?.(client) !== true) return undefined
  return new StoreError('Unauthenticated', `${remote}: the certificate of ${client.name} was revoked`)
}

function shown({ credentials }: SecureOptions): PeerCertificate | undefined {
  const { own } = credentials()
  return own === undefined ? undefined : { name: own.name, serial: own.chain }
}
