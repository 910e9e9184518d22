/** Bytes that are written once each, and found again by their ETag. */

import { createHash } from 'node:crypto'
import { patterned } from '../harness/tree.ts'

/** With their key in OM, just over that, in one datanode message, in several chunks. None is empty: its ETag names no write. */
export const usualSizes: readonly number[] = [16, 100, 100, 4000, 4097, 20_000, 20_000, 20_000, 300_000, 1_500_000]

export interface Content {
  readonly etag: string
  readonly size: number
  readonly seed: number
}

export class Contents {
  private readonly byEtag = new Map<string, Content>()
  private lastSeed: number
  private readonly sizes: readonly number[]

  constructor(firstSeed: number, sizes: readonly number[] = usualSizes) {
    this.lastSeed = firstSeed
    this.sizes = sizes
  }

  /** No two are the same, so an ETag says which write is meant. */
  make(): { readonly content: Content; readonly bytes: Buffer } {
    this.lastSeed += 1
    const seed = this.lastSeed
    const size = this.sizes[seed % this.sizes.length] ?? 0
    const bytes = patterned(size, seed)
    const content = { etag: createHash('md5').update(bytes).digest('hex'), size, seed }
    this.byEtag.set(content.etag, content)
    return { content, bytes }
  }

  /** What is wrong with the bytes that came with this ETag; undefined: nothing. */
  problem(etag: string, bytes: Uint8Array): string | undefined {
    const content = this.byEtag.get(etag)
    if (content === undefined) return `the ETag ${etag} was never written`
    if (bytes.length !== content.size) return `${bytes.length} bytes with the ETag of ${content.size}`
    return patterned(content.size, content.seed).equals(bytes)
      ? undefined
      : `other bytes than those of its ETag ${etag}`
  }
}
