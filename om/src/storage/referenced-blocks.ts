import type { BlockId, ContainerId, LocalId } from '@o3/scm/api'
import type { StateView } from '@o3/ratis/api'
import type { Content } from '../api/api.ts'
import { entries } from '../core/rows/entry.ts'
import { parts } from '../core/rows/upload.ts'
import { scanRows } from './cursors.ts'

/** By container and local id: how many bytes the block must have at least. */
export type ReferencedBlocks = ReadonlyMap<ContainerId, ReadonlyMap<LocalId, number>>

/** Every block that a key or a part names, of one snapshot. Some 100 bytes of memory for each. */
export async function referencedBlocks(view: StateView): Promise<ReferencedBlocks> {
  const found = new Map<ContainerId, Map<LocalId, number>>()
  await scanRows(view, { table: entries, range: { from: '' } }, ({ value }) => {
    if (value.kind === 'leaf') addContent(found, value.content)
    return undefined
  })
  await scanRows(view, { table: parts, range: { from: '' } }, ({ value }) => {
    addContent(found, value.content)
    return undefined
  })
  return found
}

function addContent(found: Map<ContainerId, Map<LocalId, number>>, content: Content): void {
  if (content.kind === 'inline') return
  for (const segment of content.segments) {
    if (segment.kind === 'block') addBlock(found, segment.block, segment.offset + segment.length)
  }
}

function addBlock(found: Map<ContainerId, Map<LocalId, number>>, { container, local }: BlockId, end: number): void {
  const blocks = found.get(container) ?? new Map<LocalId, number>()
  found.set(container, blocks)
  blocks.set(local, Math.max(end, blocks.get(local) ?? 0))
}
