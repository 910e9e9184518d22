import type { LocalId } from '@o3/scm/api'
import type { ListedBlock } from './copy-plan.ts'

const lastLocal = 0xffff_ffff

/** Pages of one list, of which windows are cut. */
export class ListingPages {
  private blocks: ListedBlock[] = []
  private last: LocalId = 0
  private isWhole = false

  /** What to ask for next, or undefined when there is enough for a window. */
  get wanted(): { readonly after: LocalId } | undefined {
    return this.blocks.length > 0 || this.isWhole ? undefined : { after: this.last }
  }

  /** Rising ids behind the last; throws `RangeError` otherwise: whoever lists so cannot be merged with others. */
  add(blocks: readonly ListedBlock[], isLast: boolean): void {
    for (const block of blocks) {
      if (block.local <= this.last) throw new RangeError('a list that does not rise')
      this.last = block.local
      this.blocks.push(block)
    }
    this.isWhole = isLast
  }

  /** Up to here everything is known. */
  get knownUpTo(): LocalId {
    return this.isWhole ? lastLocal : this.last
  }

  get isOver(): boolean {
    return this.isWhole && this.blocks.length === 0
  }

  cut(upTo: LocalId): readonly ListedBlock[] {
    let count = 0
    while (count < this.blocks.length && (this.blocks[count] as ListedBlock).local <= upTo) count++
    return this.blocks.splice(0, count)
  }
}
