/** The unit in which the simulated disk allocates space. */
export const pageBytes = 4096

/**
 * A growing array of bytes in which what was never written costs nothing and reads as zero. A page that several have is one
 * until one of them writes to it: the cache of a file, its device and its journal mostly hold the same bytes.
 */
export class SparseBytes {
  readonly #pages = new Map<number, Uint8Array>()
  /** Pages that nobody else has. */
  readonly #own = new Set<number>()
  #length = 0

  get length(): number {
    return this.#length
  }

  get pageCount(): number {
    return this.#pages.size
  }

  /** Pages that a write of this range would allocate. */
  missingPages(offset: number, length: number): number {
    let missing = 0
    const end = offset + length
    for (let page = pageOf(offset); page * pageBytes < end && length > 0; page++) if (!this.#pages.has(page)) missing++
    return missing
  }

  /** How much of `target` there is from `offset` on. */
  read(target: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(target.length, this.#length - offset))
    for (let at = 0; at < length;) {
      const page = pageOf(offset + at)
      const from = offset + at - page * pageBytes
      const count = Math.min(pageBytes - from, length - at)
      const bytes = this.#pages.get(page)
      if (bytes === undefined) target.fill(0, at, at + count)
      else target.set(count === pageBytes ? bytes : bytes.subarray(from, from + count), at)
      at += count
    }
    return length
  }

  slice(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.read(bytes, offset)
    return bytes
  }

  /** Keeps whole pages of `bytes`, so nobody may write into them any more. */
  write(bytes: Uint8Array, offset: number): void {
    for (let at = 0; at < bytes.length;) {
      const page = pageOf(offset + at)
      const from = offset + at - page * pageBytes
      const count = Math.min(pageBytes - from, bytes.length - at)
      const part = bytes.subarray(at, at + count)
      if (count < pageBytes) this.#ownPage(page).set(part, from)
      else {
        this.#pages.set(page, part)
        this.#own.delete(page)
      }
      at += count
    }
    this.#length = Math.max(this.#length, bytes.length === 0 ? 0 : offset + bytes.length)
  }

  /** Cuts, or extends with zeros. */
  resize(length: number): void {
    if (length < this.#length) {
      for (const page of this.#pages.keys()) {
        if (page * pageBytes >= length) {
          this.#pages.delete(page)
          this.#own.delete(page)
        } else if ((page + 1) * pageBytes > length) this.#ownPage(page).fill(0, length - page * pageBytes)
      }
    }
    this.#length = length
  }

  clone(): SparseBytes {
    const copy = new SparseBytes()
    for (const [page, bytes] of this.#pages) copy.#pages.set(page, bytes)
    copy.#length = this.#length
    this.#own.clear()
    return copy
  }

  #ownPage(page: number): Uint8Array {
    const bytes = this.#pages.get(page)
    if (bytes !== undefined && this.#own.has(page)) return bytes
    const own = bytes === undefined ? new Uint8Array(pageBytes) : new Uint8Array(bytes)
    this.#pages.set(page, own)
    this.#own.add(page)
    return own
  }
}

const pageOf = (offset: number): number => Math.floor(offset / pageBytes)
