/** The network between the processes of one cluster: mutual TLS, and who is at the other end. */

import type { Credentials, Env, PeerCertificate } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { parseProcessName } from '@o3/common/pki'
import type { ProcessName } from '@o3/common/pki'
import { certificateClient, certificateServer } from '@o3/common/rpc'
import type { ClientAuthentication, ServerAuthentication } from '@o3/common/rpc'
import type { Logger } from '@o3/common/logger'
import type { Role } from '../cluster-file/cluster-file.ts'
import { ExpellingNetwork } from './expelling-network.ts'
import { credentialsOf } from './identity.ts'
import type { Identity } from './identity.ts'
import { RefusalLog } from './refusal-log.ts'

/** Who may be at the other end: a process, an administrator's command, or somebody without a certificate. */
export type PeerRole = Role | 'admin' | 'stranger'

/** Who connected, as its certificate says. */
export interface ClusterPeer {
  readonly role: PeerRole
  readonly id: string
}

export const peerRoles: readonly PeerRole[] = ['scm', 'om', 'datanode', 'gateway', 'admin', 'stranger']

export interface WireOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks' | 'random'>
  readonly identity: Identity
  readonly revoked: readonly string[]
  /** Where refused connections are noted. */
  readonly log?: Logger
  /** Whether a listener lets somebody in who has no certificate yet. */
  readonly strangers?: 'admitted' | 'refused'
}

/** One process's end of the wire. Its identity can be renewed while it is in use. */
export class Wire {
  /** With the secured network in the place of the plain one. */
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks' | 'random'>
  #identity: Identity
  #credentials: Credentials
  #revoked: ReadonlySet<string>
  readonly #network: ExpellingNetwork
  readonly #refusals: RefusalLog | undefined

  constructor({ env, identity, revoked, log, strangers = 'refused' }: WireOptions) {
    this.#identity = identity
    this.#credentials = credentialsOf(identity)
    this.#revoked = new Set(revoked)
    this.#refusals = log === undefined ? undefined : new RefusalLog(env.clock, log)
    const secured = env.network.secured({
      credentials: () => this.#credentials,
      isRevoked: ({ serial }) => this.#revoked.has(serial),
      strangers,
      onRefused: (remote, error) => this.#refusals?.note(remote, error),
    })
    const { clock, tasks, random } = env
    const network = new ExpellingNetwork(secured)
    this.#network = network
    this.env = { network, clock, tasks, random }
  }

  get identity(): Identity {
    return this.#identity
  }

  /** For connections that are made from now on. */
  renew(identity: Identity): void {
    this.#identity = identity
    this.#credentials = credentialsOf(identity)
  }

  /** Ends the connections with these certificates, and makes no new ones. */
  async revoke(serials: readonly string[]): Promise<void> {
    this.#revoked = new Set(serials)
    if (serials.length > 0) await this.#network.expel(({ serial }) => this.#revoked.has(serial))
  }

  /**
   * For clients of processes of this role. `Unauthenticated` for a process of another role or cluster; `Unavailable` when
   * another process of the role is at the address of the one that was meant: it has moved.
   */
  callsTo(role: Role | 'admin'): ClientAuthentication {
    return certificateClient(({ certificate, serverId }) => {
      const server = nameIn(certificate, this.#identity.name)
      if (server.role !== role) {
        throw new StoreError('Unauthenticated', `${server.role} ${server.id} answers where a ${role} should`)
      }
      if (serverId === undefined || server.id === serverId) return
      const message = `${server.role} ${server.id} answers at the address of ${serverId}`
      throw new StoreError('Unavailable', message, { details: { answers: server.id } })
    })
  }

  /** For servers. `Unauthenticated` for whoever is of another cluster, or of a role that there is not. */
  serves(): ServerAuthentication<ClusterPeer> {
    return certificateServer(({ certificate, remote }) => {
      // The listener has refused it where it may not be.
      if (certificate === undefined) return { role: 'stranger', id: '' }
      try {
        return peerIn(certificate, this.#identity.name)
      } catch (error) {
        if (error instanceof StoreError) this.#refusals?.note(remote, error)
        throw error
      }
    })
  }
}

function peerIn(certificate: PeerCertificate, own: ProcessName): ClusterPeer {
  const { role, id } = nameIn(certificate, own)
  const known = peerRoles.find((each) => each === role && each !== 'stranger')
  if (known === undefined) throw new StoreError('Unauthenticated', `there is no role ${role}`)
  return { role: known, id }
}

function nameIn(certificate: PeerCertificate | undefined, own: ProcessName): ProcessName {
  const name = certificate === undefined ? undefined : parseProcessName(certificate.name)
  if (name === undefined) throw new StoreError('Unauthenticated', 'the other end has not shown whose it is')
  if (name.clusterId === own.clusterId) return name
  throw new StoreError(
    'Unauthenticated',
    `${name.role} ${name.id} is of the cluster ${name.clusterId}, and not of ours`,
  )
}
