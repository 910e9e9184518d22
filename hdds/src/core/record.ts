/**
 * The record header of a container file, version 1. All numbers are little-endian.
 *
 *    0  u32  magic `O3CR`
 *    4  u8   version
 *    5  u8   kind
 *    6  u8   flags: 1 = the payload is the whole block; of a seal: of an origin (`SealState`)
 *    7  u8   unit checksums that follow
 *    8  u64  container id
 *   16  u32  generation of the container file
 *   20  u32  local id of the block; 0 where there is none
 *   24  u32  payload length
 *   28  u64  data: offset of the payload in its block; commit: length of the block
 *   36  u64  offset of this record in its file
 *   44  u64  floor: everything before this offset of the file was durable when the record was written
 *   52  u32  CRC32C of each 64 KiB of the payload
 *    …  u32  CRC32C of all the header before, seeded with the identity of the file
 *
 * The record says where it belongs (disk, by the seed; container, generation, offset), and that is inside the checksum:
 * a write that a drive put in another place, or a file copied over another, does not verify. The seed also keeps a
 * caller from smuggling in a record as the bytes of a block: it does not know the disk's uuid.
 *
 * The floor tells a torn write from damage. Behind the last floor, bytes that do not verify were never acknowledged;
 * before it they were durable once, and are now rotten.
 *
 * A new version of the header comes with a new layout version of the disk: a program that does not know it must refuse
 * the disk, and not take such records for torn ones and cut them off.
 */

import type { ContainerId, LocalId } from '@o3/scm/api'
import { getU32, getU64, putU32, putU64 } from './little-endian.ts'
import { fixedHeaderBytes, headerBytes, maxUnits, unitCount } from './record-layout.ts'

const kinds = ['data', 'commit', 'tombstone', 'seal', 'skip'] as const

/**
 * - `data`: bytes of a block. With `whole` they are all of it.
 * - `commit`: a block of several data records is complete and has this length.
 * - `tombstone`: blocks that are deleted; the payload lists them.
 * - `seal`: no data follows (the container is closed); tombstones may.
 * - `skip`: recovery put it over bytes that a power cut had torn; the payload is rubbish and has no checksums.
 */
export type RecordKind = (typeof kinds)[number]

export interface RecordHeader {
  readonly kind: RecordKind
  readonly container: ContainerId
  readonly generation: number
  readonly local: LocalId
  readonly whole: boolean
  readonly length: number
  readonly blockOffset: number
  readonly fileOffset: number
  readonly floor: number
  readonly checksums: readonly number[]
}

/** CRC32C of `bytes`, continued from `initial`. */
export type Crc32c = (bytes: Uint8Array, initial?: number) => number

/** What the header checksums of one container file are made with. */
export interface HeaderProof {
  readonly crc: Crc32c
  /** See `recordSeed`. */
  readonly seed: number
}

export const recordMagic = 0x52_43_33_4f
const version = 1
const wholeFlag = 1

/** Writes the header at `at` and returns its length. */
export function encodeHeader(header: RecordHeader, target: Uint8Array, at: number, { crc, seed }: HeaderProof): number {
  const { checksums } = header
  putU32(target, at, recordMagic)
  target[at + 4] = version
  target[at + 5] = kinds.indexOf(header.kind) + 1
  target[at + 6] = header.whole ? wholeFlag : 0
  target[at + 7] = checksums.length
  putU64(target, at + 8, header.container)
  putU32(target, at + 16, header.generation)
  putU32(target, at + 20, header.local)
  putU32(target, at + 24, header.length)
  putU64(target, at + 28, header.blockOffset)
  putU64(target, at + 36, header.fileOffset)
  putU64(target, at + 44, header.floor)
  let end = at + fixedHeaderBytes - 4
  for (let i = 0; i < checksums.length; i++, end += 4) putU32(target, end, checksums[i] as number)
  putU32(target, end, crc(target.subarray(at, end), seed))
  return end + 4 - at
}

/** Undefined when there is no sound header of this version at `at`. Whether it belongs there is the caller's question. */
export function decodeHeader(bytes: Uint8Array, at: number, { crc, seed }: HeaderProof): RecordHeader | undefined {
  if (at + fixedHeaderBytes > bytes.length || getU32(bytes, at) !== recordMagic || bytes[at + 4] !== version) {
    return undefined
  }
  const units = bytes[at + 7] as number
  const end = at + headerBytes(units)
  if (units > maxUnits || end > bytes.length) return undefined
  if (getU32(bytes, end - 4) !== crc(bytes.subarray(at, end - 4), seed)) return undefined
  const kind = kinds[(bytes[at + 5] as number) - 1]
  const length = getU32(bytes, at + 24)
  if (kind === undefined || units !== (kind === 'skip' ? 0 : unitCount(length))) return undefined
  const checksums: number[] = []
  for (let i = 0, from = at + fixedHeaderBytes - 4; i < units; i++, from += 4) checksums.push(getU32(bytes, from))
  return {
    kind,
    container: getU64(bytes, at + 8),
    generation: getU32(bytes, at + 16),
    local: getU32(bytes, at + 20),
    whole: bytes[at + 6] === wholeFlag,
    length,
    blockOffset: getU64(bytes, at + 28),
    fileOffset: getU64(bytes, at + 36),
    floor: getU64(bytes, at + 44),
    checksums,
  }
}
