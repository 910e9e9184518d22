/** The unit in which the simulated disk allocates space. */
export const pageBytes = 4096

/** A growing array of bytes in which what was never written costs nothing and reads as zero. */
export class SparseBytes {
  readonly #pages = new Map<number, Uint8Array>()
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
    for (const { page } of pagesOf(offset, length)) if (!this.#pages.has(page)) missing++
    return missing
  }

  /** How much of `target` there is from `offset` on. */
  read(target: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(target.length, this.#length - offset))
    for (const { page, from, at, count } of pagesOf(offset, length)) {
      const bytes = this.#pages.get(page)
      if (bytes === undefined) target.fill(0, at, at + count)
      else target.set(bytes.subarray(from, from + count), at)
    }
    return length
  }

  slice(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.read(bytes, offset)
    return bytes
  }

  write(bytes: Uint8Array, offset: number): void {
    for (const { page, from, at, count } of pagesOf(offset, bytes.length)) {
      this.#page(page).set(bytes.subarray(at, at + count), from)
    }
    this.#length = Math.max(this.#length, bytes.length === 0 ? 0 : offset + bytes.length)
  }

  /** Cuts, or extends with zeros. */
  resize(length: number): void {
    if (length < this.#length) {
      for (const [page, bytes] of this.#pages) {
        if (page * pageBytes >= length) this.#pages.delete(page)
        else if ((page + 1) * pageBytes > length) bytes.fill(0, length - page * pageBytes)
      }
    }
    this.#length = length
  }

  clone(): SparseBytes {
    const copy = new SparseBytes()
    for (const [page, bytes] of this.#pages) copy.#pages.set(page, bytes.slice())
    copy.#length = this.#length
    return copy
  }

  #page(page: number): Uint8Array {
    let bytes = this.#pages.get(page)
    if (bytes === undefined) {
      bytes = new Uint8Array(pageBytes)
      this.#pages.set(page, bytes)
    }
    return bytes
  }
}

interface PagePart {
  readonly page: number
  /** Where in the page, and where in the range, `count` bytes begin. */
  readonly from: number
  readonly at: number
  readonly count: number
}

function* pagesOf(offset: number, length: number): Generator<PagePart> {
  for (let at = 0; at < length;) {
    const page = Math.floor((offset + at) / pageBytes)
    const from = offset + at - page * pageBytes
    const count = Math.min(pageBytes - from, length - at)
    yield { page, from, at, count }
    at += count
  }
}
