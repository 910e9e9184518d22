/**
 * What a process proves to the others: `identity.pem` in its directory, with its private key, its certificate and the
 * root, in one file, so that a crash leaves the old or the new. Readable to its owner only.
 */

import type { Credentials, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { belongsTogether, formatProcessName, makeKeyPair, readCertificate } from '@o3/common/pki'
import type { Authority, CertificateFacts, KeyPair, ProcessName } from '@o3/common/pki'
import { refuseOpenFile } from '../cluster-file/read-cluster.ts'
import { readSmallFile, replaceFile } from '../data-directory.ts'
import { readAuthority, readRoot, signFor } from './authority.ts'
import type { AuthorityFiles } from './authority.ts'
import { standingOf } from './validity.ts'
import type { Standing } from './validity.ts'

export const identityFileName = 'identity.pem'

/** PEM. */
export interface Identity {
  readonly name: ProcessName
  readonly privateKey: string
  readonly certificate: string
  readonly root: string
  readonly facts: CertificateFacts
}

export interface Holder {
  readonly authority: AuthorityFiles
  readonly name: ProcessName
  /** Path of `identity.pem`. */
  readonly file: string
}

/**
 * The identity of this process: the one that it has, if that counts; a new one where the authority's key is at hand.
 * `InvalidArgument` with what to do where neither is the case; `Damaged` for a file that others can read.
 */
export async function settleIdentity(env: Env, holder: Holder): Promise<Identity> {
  const root = await readRoot(env, holder.authority)
  const kept = await readIdentity(env, holder, root)
  const standing = kept === undefined ? 'missing' : standingHere(env, kept, holder.name)
  if (kept !== undefined && standing === 'good') return kept
  const authority = await readAuthority(env, holder.authority)
  if (authority !== undefined) return signHere(env, holder, authority)
  // SCM signs the next one while this one still counts.
  if (kept !== undefined && standing === 'due') return kept
  throw new StoreError('InvalidArgument', refusalOf(holder, standing))
}

/** A new one, by the authority's key that is at hand. */
export function signHere(env: Env, holder: Holder, authority: Authority): Promise<Identity> {
  const keys = makeKeyPair()
  const certificate = signFor(env, authority, { name: holder.name, publicKey: keys.publicKey })
  return keepIdentity(env, holder, { keys, certificate, root: authority.certificate })
}

/** Writes it down, durably, before anybody sees it. `Incompatible` when it is not of this key, root and name. */
export async function keepIdentity(
  env: Env,
  { file, name }: Holder,
  { keys, certificate, root }: { readonly keys: KeyPair; readonly certificate: string; readonly root: string },
): Promise<Identity> {
  const identity = { name, privateKey: keys.privateKey, certificate, root, facts: readCertificate(certificate) }
  if (standingHere(env, identity, name) !== 'good') {
    throw new StoreError('Incompatible', `what was signed for ${formatProcessName(name)} does not fit it`)
  }
  await replaceFile(env, file, `${identity.privateKey}${identity.certificate}${identity.root}`)
  return identity
}

/** For the network. */
export function credentialsOf({ name, privateKey, certificate, root }: Identity): Credentials {
  return { roots: root, own: { name: formatProcessName(name), chain: certificate, privateKey } }
}

/** `root`: the one that this process was given; without it, the one it was signed under. */
async function readIdentity(env: Env, { file, name }: Holder, root: string | undefined): Promise<Identity | undefined> {
  const text = await readSmallFile(env, file)
  if (text === undefined) return undefined
  await refuseOpenFile(file)
  const [privateKey] = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(text) ?? []
  const [certificate, signer] = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? []
  if (privateKey === undefined || certificate === undefined || signer === undefined) {
    throw new StoreError('Damaged', `${file} is not what O3 writes; remove it to have a new one made`)
  }
  return { name, privateKey, certificate, root: root ?? signer, facts: readCertificate(certificate) }
}

function standingHere(env: Pick<Env, 'clock'>, identity: Identity, name: ProcessName): Standing {
  return standingOf({
    certificate: identity.facts,
    name: formatProcessName(name),
    belongs: belongsTogether(identity),
    nowMs: env.clock.wallMs(),
  })
}

function refusalOf({ file, name, authority }: Holder, standing: Standing | 'missing'): string {
  const reasons: Readonly<Record<Standing | 'missing', string>> = {
    missing: `${file} is missing`,
    foreign: `${file} is of another process, or of another cluster's authority`,
    expired: `the certificate in ${file} has expired`,
    early: `the certificate in ${file} is not valid yet: the clock of this host is slow`,
    due: `the certificate in ${file} is to be renewed`,
    good: `${file} is good`,
  }
  return (
    `${name.role} ${name.id} cannot prove who it is: ${reasons[standing]}, and ${authority.caKey}, which could sign, is not ` +
    'here. `o3 cluster start` makes both for a cluster on one machine; on another host, copy an identity.pem or join with a token'
  )
}
