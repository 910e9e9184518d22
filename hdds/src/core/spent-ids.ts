import type { LocalId } from '@o3/scm/api'

const pageBits = 4096

/**
 * The local ids of an open container that have had a block. It makes "was this written before?" on the hot path a test
 * of one bit instead of a look into the index: 32 KiB for the 262,144 small blocks of a full container. Ids are handed
 * out in rising order, so pages are dense.
 */
export class SpentIds {
  private readonly pages = new Map<number, Uint32Array>()

  has(local: LocalId): boolean {
    const page = this.pages.get(Math.floor(local / pageBits))
    return page !== undefined && (((page[(local % pageBits) >>> 5] as number) >>> (local & 31)) & 1) === 1
  }

  add(local: LocalId): void {
    const number = Math.floor(local / pageBits)
    let page = this.pages.get(number)
    if (page === undefined) {
      page = new Uint32Array(pageBits / 32)
      this.pages.set(number, page)
    }
    const word = (local % pageBits) >>> 5
    page[word] = (page[word] as number) | (1 << (local & 31))
  }

  delete(local: LocalId): void {
    const page = this.pages.get(Math.floor(local / pageBits))
    if (page === undefined) return
    const word = (local % pageBits) >>> 5
    page[word] = (page[word] as number) & ~(1 << (local & 31))
  }
}
