import type { BlockId, BlockRange, ContainerId } from '@o3/scm/api'
import type { Content, LeaseId } from '../../api/api.ts'
import { uncommitted } from '../lease.ts'
import type { LeaseRow } from '../rows/lease.ts'

interface Use {
  readonly block: BlockId
  readonly owner: string
  segments: number
  /** An owner said that it shares no block. */
  claimedAlone: boolean
}

interface Taken {
  readonly range: BlockRange
  readonly where: string
}

const idOf = ({ container, local }: BlockId): string => `${container}/${local}`

/**
 * Checks that every block has exactly one fate: named by as many segments as its reference row says (none: one), or in a
 * lease and not committed, or waiting for deletion.
 */
export class BlockAudit {
  private readonly uses = new Map<string, Use>()
  private readonly references = new Map<string, number>()
  private readonly taken = new Map<ContainerId, Taken[]>()
  private readonly findings: string[] = []

  addContent(owner: string, content: Content, shared: boolean): void {
    if (content.kind === 'inline') return
    for (const segment of content.segments) {
      if (segment.kind !== 'block') continue
      const id = idOf(segment.block)
      const use = this.uses.get(id)
      if (use === undefined) this.uses.set(id, { block: segment.block, owner, segments: 1, claimedAlone: !shared })
      else {
        use.segments++
        use.claimedAlone ||= !shared
      }
    }
  }

  addReferences(block: BlockId, count: number): void {
    this.references.set(idOf(block), count)
  }

  addLease(id: LeaseId, lease: LeaseRow): void {
    for (const range of uncommitted(lease)) this.take(range, `not committed in lease ${id}`)
  }

  addDeleted(position: number, ranges: readonly BlockRange[]): void {
    for (const range of ranges) this.take(range, `waiting for deletion at position ${position}`)
  }

  finish(): readonly string[] {
    for (const [id, use] of this.uses) this.checkUse(id, use)
    for (const id of this.references.keys()) {
      if (!this.uses.has(id)) this.findings.push(`block ${id} is nobody's and has a reference row`)
    }
    this.checkTaken()
    return this.findings
  }

  private take(range: BlockRange, where: string): void {
    const taken = this.taken.get(range.container)
    if (taken === undefined) this.taken.set(range.container, [{ range, where }])
    else taken.push({ range, where })
  }

  private checkUse(id: string, { segments, claimedAlone, owner }: Use): void {
    const claimed = this.references.get(id) ?? 1
    if (claimed !== segments)
      this.findings.push(`block ${id} of ${owner} counts ${claimed} segments and has ${segments}`)
    if (segments > 1 && claimedAlone)
      this.findings.push(`block ${id} of ${owner} is shared, and an owner does not know`)
  }

  /** Sorted, ranges that overlap are neighbours, and a block in use is found by halving. */
  private checkTaken(): void {
    for (const taken of this.taken.values()) {
      taken.sort((a, b) => a.range.firstLocal - b.range.firstLocal)
      for (const [index, { range, where }] of taken.entries()) {
        const next = taken[index + 1]
        if (next !== undefined && range.firstLocal + range.count > next.range.firstLocal) {
          this.findings.push(`block ${range.container}/${next.range.firstLocal} is ${where} and ${next.where}`)
        }
      }
    }
    for (const [id, { block, owner }] of this.uses) {
      const holder = holderOf(this.taken.get(block.container) ?? [], block)
      if (holder !== undefined) this.findings.push(`block ${id} of ${owner} is ${holder.where}`)
    }
  }
}

function holderOf(taken: readonly Taken[], block: BlockId): Taken | undefined {
  let low = 0
  let high = taken.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((taken[middle] as Taken).range.firstLocal <= block.local) low = middle + 1
    else high = middle
  }
  const last = taken[low - 1]
  return last !== undefined && block.local < last.range.firstLocal + last.range.count ? last : undefined
}
