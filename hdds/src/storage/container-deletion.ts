/** Deleting blocks: a tombstone that names those which exist, synced; then their rows go. */

import type { LocalId } from '@o3/scm/api'
import { storedBytes } from '../core/block-row.ts'
import { emptyHash, withBlock } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { blockKey } from '../core/index-keys.ts'
import { encodeTombstone, runsOf } from '../core/tombstone.ts'
import type { LocalRun } from '../core/tombstone.ts'
import { unitChecksums } from './checksum.ts'
import type { Container } from './container.ts'

/** Ids looked up at once, and named by one tombstone at most. */
const idsAtOnce = 4096

/** Durable when it resolves. Ids that have no block are spent: a writer that comes late is refused. */
export async function deleteBlocks(container: Container, runs: readonly LocalRun[]): Promise<void> {
  let ids: LocalId[] = []
  for (const { first, count } of runs) {
    for (let local = first; local < first + count; local++) {
      ids.push(local)
      if (ids.length < idsAtOnce) continue
      await deleteIds(container, ids)
      ids = []
    }
  }
  if (ids.length > 0) await deleteIds(container, ids)
}

function deleteIds(container: Container, ids: readonly LocalId[]): Promise<void> {
  return container.turns.run(async () => {
    if (container.isRemoved) return
    container.assertWritable()
    const candidates = [...new Set(ids.filter((local) => container.claimForDeletion(local)))].toSorted((a, b) => a - b)
    if (candidates.length > 0) await buryBlocks(container, candidates)
  })
}

async function buryBlocks(container: Container, locals: readonly LocalId[]): Promise<void> {
  const { scope, current } = container
  // What is still on its way into the container is deleted as well.
  await container.settled()
  const rows = await scope.index.getMany(locals.map((local) => blockKey(current.keyPrefix, local)))
  const found: LocalId[] = []
  let freedBytes = 0
  let hash: ContentHash | undefined = emptyHash
  for (const [i, row] of rows.entries()) {
    if (row === undefined) continue
    found.push(locals[i] as LocalId)
    freedBytes += storedBytes(row)
    hash = withBlock(hash, { local: locals[i] as LocalId, ...row })
  }
  if (found.length === 0) return
  const tombstone = { runs: runsOf(found), blocks: found.length, freedBytes, hash }
  const bytes = encodeTombstone(tombstone)
  const payload = { length: bytes.length, checksums: unitChecksums([bytes]), pieces: [bytes] }
  scope.env.at('hdds.delete.before-tombstone')
  await container.append(
    { kind: 'tombstone', local: 0, whole: false, blockOffset: 0, ...payload, tombstone },
    'durable',
  )
  scope.env.at('hdds.delete.after-tombstone')
}
