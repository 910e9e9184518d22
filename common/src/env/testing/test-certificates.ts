/** Certificates for tests: an authority that signs whatever a test wants to show. */

import { issueCertificate, makeAuthority, makeKeyPair } from '../../pki/pki.ts'
import type { Authority, Validity } from '../../pki/pki.ts'
import type { Credentials } from '../env.ts'
import { NodeClock } from '../node/node-clock.ts'
import { NodeRandom } from '../node/node-random.ts'

const random = new NodeRandom()
const dayMs = 24 * 60 * 60 * 1000

export class TestAuthority {
  readonly authority: Authority = makeAuthority('test', daysFromNow(-400, 400), random)

  /** Of a process with this name. Default: valid since yesterday, until tomorrow. */
  credentials(name: string, validity: Validity = daysFromNow(-1, 1)): Credentials {
    const keys = makeKeyPair()
    const certificate = issueCertificate(
      this.authority,
      { name, label: 'test', publicKey: keys.publicKey, validity },
      random,
    )
    return { roots: this.authority.certificate, own: { name, chain: certificate, privateKey: keys.privateKey } }
  }

  /** Of somebody who knows the authority and has no certificate. */
  stranger(): Credentials {
    return { roots: this.authority.certificate }
  }
}

export function daysFromNow(from: number, to: number): Validity {
  const nowMs = new NodeClock().wallMs()
  return { fromMs: nowMs + from * dayMs, toMs: nowMs + to * dayMs }
}
