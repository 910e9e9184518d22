/** What a datanode shows to other datanodes. It has the keys, so it makes the tokens by itself. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { allBlocks, anyLength } from '@o3/scm/tokens'
import type { BlockDeed, Vouching } from '@o3/scm/tokens'

/** Of one call: the next has another. */
const validMs = 10 * 60_000

/**
 * For `DatanodeDirectory`: a token for all blocks of the container, to copy, or to delete where that is what the call does.
 * `Unavailable` while there are no keys; also while `vouching` answers undefined: a datanode that starts applies the logs of its
 * pipelines, and asks others for blocks, before it has anything to ask SCM for keys with.
 */
export function copyTokens(
  vouching: () => Vouching | undefined,
  clock: Pick<Clock, 'wallMs'>,
): (deed: BlockDeed) => Uint8Array {
  return ({ modes, container }) => {
    const known = vouching()
    const key = known?.keys.signing
    if (known === undefined || key === undefined)
      throw new StoreError('Unavailable', 'there is no secret key yet for tokens between datanodes')
    const mode = modes.includes('COPY') ? 'COPY' : 'DELETE'
    return known.token({ mode, container, ...allBlocks, maxBytes: anyLength, expiresMs: clock.wallMs() + validMs }, key)
  }
}
