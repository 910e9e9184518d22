/**
 * SCM signs: for a process that has a certificate, the next one in its own name (`scm.signCertificate.1`); for one that has
 * none, the first, against a token that an administrator made (`scm.join.1`). Any member that has the authority's key does;
 * one that has not says `Unavailable`, and the next is asked. Payloads are JSON.
 */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { formatProcessName, isProof, makeKeyPair, proveKey, readCertificate } from '@o3/common/pki'
import type { Authority, KeyPair, ProcessName } from '@o3/common/pki'
import { GroupClient } from '@o3/common/rpc'
import type { ClientAuthentication, GroupMember, RpcMethods } from '@o3/common/rpc'
import { join } from 'node:path'
import { parseObject } from '../data-directory.ts'
import { readAuthority, signFor } from './authority.ts'
import type { AuthorityFiles } from './authority.ts'
import { openToken } from './join-token.ts'
import type { JoinToken } from './join-token.ts'
import type { ClusterPeer } from './wire.ts'

export const signMethod = 'scm.signCertificate.1'
export const joinMethod = 'scm.join.1'

export interface SigningOptions {
  readonly env: Env
  readonly log: Logger
  readonly files: AuthorityFiles
  /** Of this member: tokens that were used leave a mark in it. */
  readonly directory: string
}

export function signingMethods(options: SigningOptions): RpcMethods<ClusterPeer> {
  const { env, log, files } = options
  const sign = async (authority: Authority, name: ProcessName, request: Asked): Promise<{ payload: Uint8Array }> => {
    const { publicKey } = request
    if (!isProof(request.proof, publicKey, formatProcessName(name))) {
      throw new StoreError('InvalidArgument', 'who asks for a certificate has to have the private key of it')
    }
    const certificate = signFor(env, authority, { name, publicKey })
    const { serial } = readCertificate(certificate)
    log.info({ name: formatProcessName(name), serial }, 'certificate signed')
    return { payload: Buffer.from(JSON.stringify({ certificate })) }
  }
  return {
    [signMethod]: async ({ payload, peer }) => {
      const authority = await authorityOf(options)
      return sign(authority, { clusterId: files.clusterId, role: peer.role, id: peer.id }, readAsked(payload))
    },
    [joinMethod]: async ({ payload }) => {
      const authority = await authorityOf(options)
      const asked = readAsked(payload)
      const token = openToken(asked.token ?? '', authority, env.clock.wallMs())
      if (token.name.clusterId !== files.clusterId)
        throw new StoreError('AccessDenied', 'the token is of another cluster')
      if (!isProof(asked.proof, asked.publicKey, formatProcessName(token.name))) {
        throw new StoreError('InvalidArgument', 'who asks for a certificate has to have the private key of it')
      }
      await useUp(options, token)
      return sign(authority, token.name, asked)
    },
  }
}

async function authorityOf({ env, files }: SigningOptions): Promise<Authority> {
  const authority = await readAuthority(env, files)
  if (authority !== undefined) return authority
  throw new StoreError('Unavailable', 'this member of SCM has not the key of the authority')
}

/** `AccessDenied` the second time: whoever finds a token in a shell's history must not get a certificate by it. */
async function useUp({ env, directory }: SigningOptions, { id, expiresMs }: JoinToken): Promise<void> {
  const marks = join(directory, 'joins')
  await env.disk.makeDirectory(marks)
  for (const mark of await env.disk.list(marks)) {
    if (Number(mark.split('-')[0]) < env.clock.wallMs()) await env.disk.remove(join(marks, mark))
  }
  try {
    const mark = await env.disk.open(join(marks, `${expiresMs}-${id}`), 'create')
    await mark.close()
  } catch (error) {
    if (!isStoreError(error, 'InvalidArgument') || error.details['errno'] !== 'EEXIST') throw error
    throw new StoreError('AccessDenied', 'this token was used before; `o3 cluster token` makes another')
  }
  await env.disk.syncDirectory(directory)
  await env.disk.syncDirectory(marks)
}

interface Asked {
  /** PEM. */
  readonly publicKey: string
  readonly proof: string
  readonly token?: string
}

function readAsked(payload: Uint8Array): Asked {
  const { publicKey, proof, token } = parseObject(Buffer.from(payload).toString('utf8')) ?? {}
  if (typeof publicKey !== 'string' || typeof proof !== 'string') {
    throw new StoreError('InvalidArgument', 'a request for a certificate has a public key and a proof')
  }
  return { publicKey, proof, ...(typeof token === 'string' ? { token } : {}) }
}

export interface SignedKey {
  readonly keys: KeyPair
  readonly certificate: string
}

export interface AskOptions {
  /** Secured: as the process that asks, or as a stranger. */
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks' | 'random'>
  readonly scm: readonly GroupMember[]
  readonly authentication: ClientAuthentication
  readonly name: ProcessName
  /** Of a process that joins. */
  readonly token?: string
  readonly signal?: AbortSignal | undefined
}

const deadlineMs = 15_000

/** A new key, and what SCM signed for it. Rejects as `GroupClient.call` does; `Incompatible` for an answer that is none. */
export async function askForCertificate(options: AskOptions): Promise<SignedKey> {
  const { env, scm, authentication, name, token, signal } = options
  const keys = makeKeyPair()
  const proof = proveKey(keys, formatProcessName(name))
  const asked: Asked = { publicKey: keys.publicKey, proof, ...(token === undefined ? {} : { token }) }
  const group = new GroupClient({ env, name: 'scm', members: scm, authentication })
  try {
    const payload = Buffer.from(JSON.stringify(asked))
    // A token is good once: an answer that was lost must not be asked for again.
    const repeat = token === undefined ? 'whenever' : 'if-not-begun'
    const method = token === undefined ? signMethod : joinMethod
    const asking = signal === undefined ? {} : { signal }
    const answer = await group.call(method, payload, { repeat, deadlineMs, ...asking })
    const certificate = parseObject(Buffer.from(answer).toString('utf8'))?.['certificate']
    if (typeof certificate === 'string') return { keys, certificate }
    throw new StoreError('Incompatible', 'the answer of SCM is no certificate')
  } finally {
    group.close()
  }
}
