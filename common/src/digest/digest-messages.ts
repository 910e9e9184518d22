/** What the digest pool and its workers say to each other. A worker answers `update` and `finish`, in order. */

import type { DigestAlgorithm, Digests } from './digest.ts'

export type DigestRequest =
  | { readonly kind: 'open'; readonly session: number; readonly algorithms: readonly DigestAlgorithm[] }
  | { readonly kind: 'update'; readonly session: number; readonly bytes: Uint8Array }
  | { readonly kind: 'finish'; readonly session: number }
  | { readonly kind: 'abort'; readonly session: number }

/** Undefined answers an `update`. */
export type DigestReply = Digests | undefined
