/**
 * Which blocks an encoded container has, and where in the stream: every shard has a copy. Entries are sorted by local id and
 * lie in the stream in that order without gaps, so an offset is the sum of the lengths before it and costs nothing. A page has
 * at most 64 KiB, some 7,000 small blocks; the index has the first id of each page, and is one block.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import { maxChunkBytes } from '../../api/api.ts'
import type { Crc32c } from '../record.ts'

export interface DirectoryEntry {
  readonly local: LocalId
  /** Of the block in the stream. */
  readonly offset: number
  readonly lengthBytes: number
  /** CRC32C over the CRC32Cs of the block's units of 64 KiB, little-endian, in order. */
  readonly checksum: number
}

/** What the index says of a page. */
export interface PageSummary {
  readonly firstLocal: LocalId
  readonly firstOffset: number
  readonly count: number
  readonly lengthBytes: number
  readonly checksum: number
}

export interface Directory {
  readonly index: Uint8Array
  readonly pages: readonly Uint8Array[]
}

const version = 1
export const maxPageBytes = 64 * 1024
const maxEntryBytes = 5 + 8 + 4

/** Takes entries in the order of their ids; `finish` ends it. */
export class DirectoryBuilder {
  private readonly crc: Crc32c
  private readonly pages: Uint8Array[] = []
  private readonly summaries: PageSummary[] = []
  private body = new ByteWriter(maxPageBytes)
  private bodyBytes = 0
  private firstLocal = 0
  private firstOffset = 0
  private lastLocal = 0
  private count = 0
  private offset = 0

  constructor(crc: Crc32c) {
    this.crc = crc
  }

  add(local: LocalId, lengthBytes: number, checksum: number): void {
    if (this.bodyBytes + maxEntryBytes > maxPageBytes - pageHeadBytes) this.endPage()
    if (this.count === 0) {
      this.firstLocal = local
      this.firstOffset = this.offset
      this.lastLocal = local
    }
    const gap = local - this.lastLocal
    this.body.varint(gap).varint(lengthBytes).u32(checksum)
    this.bodyBytes += varintBytes(gap) + varintBytes(lengthBytes) + 4
    this.lastLocal = local
    this.offset += lengthBytes
    this.count++
  }

  /** `TooLarge` when the index does not fit a block: at hundreds of millions of blocks. */
  finish(): Directory {
    this.endPage()
    const index = encodeIndex(this.summaries)
    if (index.length > maxChunkBytes) throw new StoreError('TooLarge', 'a container has too many blocks to be encoded')
    return { index, pages: this.pages }
  }

  private endPage(): void {
    if (this.count === 0) return
    const page = new ByteWriter(maxPageBytes)
      .u8(version)
      .varint(this.firstLocal)
      .varint(this.firstOffset)
      .varint(this.count)
      .raw(this.body.finish())
      .finish()
      .slice()
    const { firstLocal, firstOffset, count } = this
    this.pages.push(page)
    this.summaries.push({ firstLocal, firstOffset, count, lengthBytes: page.length, checksum: this.crc(page) })
    this.body = new ByteWriter(maxPageBytes)
    this.bodyBytes = 0
    this.count = 0
  }
}

const pageHeadBytes = 1 + 5 + 8 + 4

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** | version 1 | pages: first local, first offset (both as gaps), entries, length, CRC32C |. */
function encodeIndex(summaries: readonly PageSummary[]): Uint8Array {
  let local = 0
  let offset = 0
  return new ByteWriter(64)
    .u8(version)
    .list(summaries, (to, page) => {
      to.varint(page.firstLocal - local).varint(page.firstOffset - offset)
      to.varint(page.count).varint(page.lengthBytes).u32(page.checksum)
      local = page.firstLocal
      offset = page.firstOffset
    })
    .finish()
}

/** Throws `Damaged` and `Incompatible`. */
export function decodeIndex(bytes: Uint8Array): readonly PageSummary[] {
  const reader = new ByteReader(bytes)
  assertVersion(reader.u8())
  let firstLocal = 0
  let firstOffset = 0
  return reader.list((from) => {
    firstLocal += from.varint()
    firstOffset += from.varint()
    const page = { firstLocal, firstOffset, count: from.varint(), lengthBytes: from.varint(), checksum: from.u32() }
    if (page.lengthBytes > maxPageBytes) throw new StoreError('Damaged', 'a page of a directory is too long')
    return page
  })
}

/** The page in which a block is, if it is anywhere; −1 before the first. */
export function pageOf(index: readonly PageSummary[], local: LocalId): number {
  return lastAtMost(index.length, (page) => (index[page] as PageSummary).firstLocal <= local)
}

/** One page, ready to be searched: 20 bytes of memory an entry. */
export class DirectoryPage {
  private readonly locals: Uint32Array
  /** One more than there are entries: where the last one ends. */
  private readonly offsets: Float64Array
  private readonly checksums: Uint32Array

  /** Throws `Damaged` and `Incompatible`. */
  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes)
    assertVersion(reader.u8())
    let local = reader.varint()
    let offset = reader.varint()
    const count = reader.varint()
    if (count > reader.remaining) throw new StoreError('Damaged', 'a page of a directory ends too early')
    this.locals = new Uint32Array(count)
    this.offsets = new Float64Array(count + 1)
    this.checksums = new Uint32Array(count)
    for (let i = 0; i < count; i++) {
      local += reader.varint()
      this.locals[i] = local
      this.offsets[i] = offset
      offset += reader.varint()
      this.checksums[i] = reader.u32()
    }
    this.offsets[count] = offset
  }

  get count(): number {
    return this.locals.length
  }

  get memoryBytes(): number {
    return 20 * this.count + 256
  }

  entry(at: number): DirectoryEntry {
    const offset = this.offsets[at] as number
    return {
      local: this.locals[at] as number,
      offset,
      lengthBytes: (this.offsets[at + 1] as number) - offset,
      checksum: this.checksums[at] as number,
    }
  }

  find(local: LocalId): DirectoryEntry | undefined {
    const at = lastAtMost(this.count, (entry) => (this.locals[entry] as number) <= local)
    return at >= 0 && this.locals[at] === local ? this.entry(at) : undefined
  }
}

function assertVersion(found: number): void {
  if (found === version) return
  throw new StoreError('Incompatible', `a directory of version ${found}; this release reads version ${version}`)
}

/** The last of `count` things for which `isAtMost` holds, when it holds for a first part of them; −1: for none. */
function lastAtMost(count: number, isAtMost: (at: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isAtMost(middle)) low = middle + 1
    else high = middle
  }
  return low - 1
}
