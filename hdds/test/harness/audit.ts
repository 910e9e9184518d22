import { emptyHash, sameHash, withBlock } from '../../src/core/content-hash.ts'
import type { ContentHash } from '../../src/core/content-hash.ts'
import { blockRange, localOfKey } from '../../src/core/index-keys.ts'
import { storedBytes } from '../../src/core/block-row.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'

/** The sums of every container are what a full count finds, and a scrub finds nothing. Throws otherwise. */
export async function auditDatanode(datanode: LocalDatanode): Promise<void> {
  for (const disk of datanode.dataDisks) {
    for (const container of disk.containers.values()) {
      let blocks = 0
      let live = 0
      let hash: ContentHash | undefined = emptyHash
      await disk.scope.index.flush()
      await disk.scope.index.scan(blockRange(container.current.keyPrefix), (key, row) => {
        blocks++
        live += storedBytes(row)
        hash = withBlock(hash, { local: localOfKey(key), ...row })
      })
      const { ledger, id } = container
      if (blocks !== ledger.blocks || live !== ledger.live) {
        throw new Error(`container ${id} counts ${ledger.blocks} blocks, ${ledger.live} bytes; has ${blocks}, ${live}`)
      }
      const kept = ledger.contentHash
      if (kept === undefined || hash === undefined || !sameHash(kept, hash)) {
        throw new Error(`container ${id} has the hash ${JSON.stringify(kept)}; counted ${JSON.stringify(hash)}`)
      }
      const findings = await datanode.scrubContainer(id)
      if (findings.length > 0) throw new Error(`container ${id}: ${JSON.stringify(findings)}`)
    }
  }
  if (datanode.findings().length > 0) throw new Error(JSON.stringify(datanode.findings()))
}
