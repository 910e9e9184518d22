const pageBits = 4096

/**
 * A set of whole numbers ≥ 0 that lie close together, at one bit each: the local ids of an open container (rising, so
 * 32 KiB for the 262,144 small blocks of a full one), or the places of records in a file.
 */
export class SparseBits {
  private readonly pages = new Map<number, Uint32Array>()

  has(value: number): boolean {
    const page = this.pages.get(Math.floor(value / pageBits))
    return page !== undefined && (((page[(value % pageBits) >>> 5] as number) >>> (value & 31)) & 1) === 1
  }

  add(value: number): void {
    const number = Math.floor(value / pageBits)
    let page = this.pages.get(number)
    if (page === undefined) {
      page = new Uint32Array(pageBits / 32)
      this.pages.set(number, page)
    }
    const word = (value % pageBits) >>> 5
    page[word] = (page[word] as number) | (1 << (value & 31))
  }

  delete(value: number): void {
    const page = this.pages.get(Math.floor(value / pageBits))
    if (page === undefined) return
    const word = (value % pageBits) >>> 5
    page[word] = (page[word] as number) & ~(1 << (value & 31))
  }
}
