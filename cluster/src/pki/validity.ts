/** How long certificates live, and when a new one is due. Pure. */

import type { CertificateFacts, Validity } from '@o3/common/pki'

const dayMs = 24 * 60 * 60 * 1000
/** Clocks of two hosts differ; so much is forgiven. */
const clockDifferenceMs = 5 * 60 * 1000

const authorityLifeMs = 20 * 365 * dayMs
const processLifeMs = 365 * dayMs

export function authorityValidity(nowMs: number): Validity {
  return { fromMs: nowMs - clockDifferenceMs, toMs: nowMs + authorityLifeMs }
}

export function processValidity(nowMs: number): Validity {
  return { fromMs: nowMs - clockDifferenceMs, toMs: nowMs + processLifeMs }
}

/** A third of its life is left then, so that a cluster that was off for months comes back by itself. */
export function renewalMs({ fromMs, toMs }: Validity): number {
  return fromMs + ((toMs - fromMs) * 2) / 3
}

/**
 * What is to be said of a certificate that a process has: `foreign` when another authority signed it, or it is somebody
 * else's; `due` when it still counts, and a new one is better.
 */
export type Standing = 'good' | 'due' | 'expired' | 'early' | 'foreign'

export interface Judged {
  readonly certificate: CertificateFacts
  readonly name: string
  /** The authority has signed it, and the key is at hand. */
  readonly belongs: boolean
  readonly nowMs: number
}

export function standingOf({ certificate, name, belongs, nowMs }: Judged): Standing {
  const { validity } = certificate
  if (!belongs || certificate.name !== name) return 'foreign'
  if (nowMs < validity.fromMs) return 'early'
  if (nowMs >= validity.toMs) return 'expired'
  return nowMs >= renewalMs(validity) ? 'due' : 'good'
}
