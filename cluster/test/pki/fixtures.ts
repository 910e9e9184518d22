/** A cluster's authority in a directory of its own, and processes of it. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { makeKeyPair, readCertificate } from '@o3/common/pki'
import type { Authority, ProcessName, Validity } from '@o3/common/pki'
import { issueCertificate, formatProcessName, makeAuthority } from '@o3/common/pki'
import type { AuthorityFiles } from '../../src/pki/authority.ts'
import type { Holder, Identity } from '../../src/pki/identity.ts'
import { authorityValidity, processValidity } from '../../src/pki/validity.ts'

export const clusterId = '5f5c'
export const nameOf = (role: string, id: string, of = clusterId): ProcessName => ({ clusterId: of, role, id })

const { clock, random } = nodeEnv()

export const daysFromNow = (from: number, to: number): Validity => {
  const dayMs = 24 * 60 * 60 * 1000
  return { fromMs: clock.wallMs() + from * dayMs, toMs: clock.wallMs() + to * dayMs }
}

export const authorityOf = (label: string): Authority => makeAuthority(label, authorityValidity(clock.wallMs()), random)

export function identityOf(
  authority: Authority,
  name: ProcessName,
  validity: Validity = processValidity(clock.wallMs()),
): Identity {
  const { publicKey, privateKey } = makeKeyPair()
  const request = { name: formatProcessName(name), label: name.id, publicKey, validity }
  const certificate = issueCertificate(authority, request, random)
  return { name, privateKey, certificate, root: authority.certificate, facts: readCertificate(certificate) }
}

export interface Home {
  readonly env: Env
  readonly path: string
  readonly files: AuthorityFiles
  /** Of a process on this host, or on one where the authority's key is not. */
  holder(name: ProcessName, where?: 'here' | 'elsewhere'): Holder
  discard(): Promise<void>
}

export async function makeHome(): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), 'o3-pki-'))
  const files: AuthorityFiles = { clusterId, ca: join(path, 'ca.pem'), caKey: join(path, 'ca.key') }
  return {
    env: nodeEnv(),
    path,
    files,
    holder: (name, where = 'here') => ({
      authority: where === 'here' ? files : { ...files, caKey: join(path, 'no.key') },
      name,
      file: join(path, `${name.id}.pem`),
    }),
    discard: () => rm(path, { recursive: true }),
  }
}
