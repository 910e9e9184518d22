/** New content of a key or part: inline, from leases, or shared with a key that is there. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import { inlineLimitBytes } from '../api/api.ts'
import type { NewContent } from '../api/api.ts'
import { wrongSize } from './content.ts'
import type { HeldContent } from './content.ts'
import { copyContent } from './copy.ts'
import type { Draft } from './draft.ts'
import { commitLeased } from './lease.ts'

/**
 * Takes hold of new content of `size` bytes. `InvalidArgument` when it is not that long, `TooLarge`, and what leases
 * (`LeaseExpired`) and copies (`KeyNotFound`, `ConcurrentChange`, `InvalidRange`) refuse.
 */
export function acquireContent(draft: Draft, given: NewContent, size: number): HeldContent | Refusal {
  switch (given.kind) {
    case 'inline':
      return acquireInline(given.bytes, size)
    case 'leased':
      return commitLeased(draft, [given], size)
    case 'leased-many':
      return commitLeased(draft, given.pieces, size)
    case 'copy':
      return copyContent(draft, given, size)
  }
}

function acquireInline(bytes: Uint8Array, size: number): HeldContent | Refusal {
  if (bytes.length !== size) return wrongSize(size, bytes.length)
  if (size > inlineLimitBytes) return refuse('TooLarge', `at most ${inlineLimitBytes} bytes ride in a row`)
  return { content: { kind: 'inline', bytes: kept(bytes) }, shared: false }
}

/** The row lives in a cache: a small slice must not keep the network buffer alive that it was cut from. */
function kept(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.length + 1024 ? bytes.slice() : bytes
}
