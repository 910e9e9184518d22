/**
 * The authority of a cluster: a root certificate that every process has, and its private key, which only SCM's hosts and
 * whoever administers the cluster have. Where the key lies beside the cluster file, as on one machine, a process that has no
 * certificate signs one for itself: whoever can read the key can be anybody anyway.
 */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { formatProcessName, issueCertificate, makeAuthority, parseProcessName } from '@o3/common/pki'
import type { Authority, ProcessName } from '@o3/common/pki'
import { refuseOpenFile } from '../cluster-file/read-cluster.ts'
import { readSmallFile, replaceFile } from '../data-directory.ts'
import { authorityValidity, processValidity } from './validity.ts'

/** Where it lies: absolute paths. */
export interface AuthorityFiles {
  readonly clusterId: string
  readonly ca: string
  readonly caKey: string
}

/**
 * Makes the authority where there is none, in the directory of `keys`, which exists. The key first: a certificate whose key
 * is lost signs nothing, and all would trust it. Called by who has the lock of the cluster's directory.
 */
export async function settleAuthority(env: Env, files: AuthorityFiles): Promise<void> {
  if ((await env.disk.stat(files.ca)) !== undefined) return
  const made = makeAuthority(`O3 cluster ${files.clusterId}`, authorityValidity(env.clock.wallMs()), env.random)
  await replaceFile(env, files.caKey, made.privateKey)
  await replaceFile(env, files.ca, made.certificate)
}

/** The root that this process was given; undefined where it has none. */
export function readRoot(env: Env, { ca }: AuthorityFiles): Promise<string | undefined> {
  return readSmallFile(env, ca)
}

/** Undefined where the key is not. `Damaged` when others can read it. */
export async function readAuthority(env: Env, files: AuthorityFiles): Promise<Authority | undefined> {
  const privateKey = await readSmallFile(env, files.caKey)
  const certificate = await readRoot(env, files)
  if (privateKey === undefined || certificate === undefined) return undefined
  await refuseOpenFile(files.caKey)
  return { certificate, privateKey }
}

/** A certificate for a year. `InvalidArgument` for a name that a certificate cannot have, or a key of another kind. */
export function signFor(
  env: Pick<Env, 'clock' | 'random'>,
  authority: Authority,
  { name, publicKey }: { readonly name: ProcessName; readonly publicKey: string },
): string {
  const text = formatProcessName(name)
  if (parseProcessName(text) === undefined) throw new StoreError('InvalidArgument', `${text} is no name of a process`)
  const validity = processValidity(env.clock.wallMs())
  return issueCertificate(authority, { name: text, label: name.id, publicKey, validity }, env.random)
}
