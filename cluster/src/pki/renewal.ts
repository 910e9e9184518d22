/** Keeps the certificate of a process fresh while it runs, and the list of what was revoked. */

import { dirname } from 'node:path'
import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { addressOf } from '../roles/endpoint.ts'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { readCluster } from '../cluster-file/read-cluster.ts'
import { readAuthority } from './authority.ts'
import { keepIdentity, signHere } from './identity.ts'
import type { Holder, Identity } from './identity.ts'
import { askForCertificate } from './signing.ts'
import { renewalMs } from './validity.ts'
import type { Wire } from './wire.ts'

export interface RenewalOptions {
  readonly env: Env
  readonly log: Logger
  readonly wire: Wire
  readonly holder: Holder
  readonly cluster: ClusterAtHome
  readonly clusterFile: string
}

/** How often the list is read and the certificate looked at. */
const roundMs = 60_000
/** After a failure; a third of the life of a certificate is left for it. */
const retryMs = 10 * 60_000

/** Until the signal aborts. What fails is said in the log, and tried again. */
export async function keepFresh(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { env, log, wire } = options
  let notBeforeMs = 0
  for (;;) {
    if (env.clock.wallMs() >= notBeforeMs) {
      try {
        await renewIfDue(options, signal)
      } catch (error) {
        if (!isStoreError(error)) throw error
        notBeforeMs = env.clock.wallMs() + retryMs
        log.warn({ error, expiresMs: wire.identity.facts.validity.toMs }, 'the certificate was not renewed')
      }
    }
    await env.clock.sleep(roundMs, signal)
    await readRevoked(options)
  }
}

/** A new one, where two thirds of the life of this one are over. Connections that exist live on. */
export async function renewIfDue(options: RenewalOptions, signal?: AbortSignal): Promise<Identity> {
  const { env, log, wire, holder } = options
  if (env.clock.wallMs() < renewalMs(wire.identity.facts.validity)) return wire.identity
  const authority = await readAuthority(env, holder.authority)
  const renewed = authority === undefined ? await signedByScm(options, signal) : await signHere(env, holder, authority)
  wire.renew(renewed)
  const { serial, validity } = renewed.facts
  log.info({ serial, expiresMs: validity.toMs }, 'the certificate was renewed')
  return renewed
}

async function signedByScm(
  { env, wire, holder, cluster }: RenewalOptions,
  signal: AbortSignal | undefined,
): Promise<Identity> {
  const scm = cluster.scm.map((member) => ({ id: member.id, address: addressOf(member) }))
  const { name } = holder
  const authentication = wire.callsTo('scm')
  const signed = await askForCertificate({ env: wire.env, scm, authentication, name, signal })
  return keepIdentity(env, holder, { ...signed, root: wire.identity.root })
}

async function readRevoked({ env, log, wire, clusterFile }: RenewalOptions): Promise<void> {
  try {
    const { revoked } = await readCluster(env, clusterFile)
    await wire.revoke(revoked)
  } catch (error) {
    // Somebody is just editing it, or has made a mistake: what was revoked stays so.
    if (!(error instanceof StoreError)) throw error
    log.warn(
      { error, home: dirname(clusterFile) },
      'the cluster file cannot be read; the list of revoked certificates stays',
    )
  }
}
