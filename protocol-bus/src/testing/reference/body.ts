/** Reads a body to its end. The reference keeps whole objects in memory; that is what makes it simple. */

import { createDigests } from '@o3/common/digest/node'
import { StoreError } from '@o3/common/errors'
import type { ByteSource, DigestAlgorithm, Digests } from '../../api/api.ts'

export interface CollectedBody {
  readonly bytes: Uint8Array
  readonly digests: Digests
}

/** `IncompleteBody` when it is not of the promised size; `Aborted`. */
export async function collectBody(
  body: ByteSource,
  options: { readonly size?: number; readonly digests: readonly DigestAlgorithm[]; readonly signal?: AbortSignal },
): Promise<CollectedBody> {
  const digests = createDigests(options.digests)
  const pieces: Uint8Array[] = []
  for await (const piece of body instanceof Uint8Array ? [body] : body) {
    refuseAborted(options.signal)
    // A copy: the piece may be overwritten once the next one is asked for.
    pieces.push(new Uint8Array(piece))
    digests.update(piece)
  }
  refuseAborted(options.signal)
  const bytes = joined(pieces)
  if (options.size !== undefined && bytes.length !== options.size) {
    throw new StoreError('IncompleteBody', 'the body has not the promised size')
  }
  return { bytes, digests: digests.finish() }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new StoreError('Aborted', 'the request was aborted')
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
