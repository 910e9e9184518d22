/** Which container the background scrubber takes next, and how fast it must read to keep its deadline. */

import { StoreError } from '@o3/common/errors'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { ContainerId } from '@o3/scm/api'

export interface ScrubCandidate {
  readonly container: ContainerId
  /** When it was last verified; undefined: never. By the wall clock. */
  readonly scrubbedMs: number | undefined
}

export interface ScrubTurn {
  readonly container: ContainerId
  /** 0: now. */
  readonly waitMs: number
}

const version = 1

/** The one that waited longest. No container is read again before half of the deadline has passed. */
export function nextScrub(
  candidates: readonly ScrubCandidate[],
  { nowMs, deadlineMs }: { readonly nowMs: number; readonly deadlineMs: number },
): ScrubTurn | undefined {
  let oldest: ScrubCandidate | undefined
  for (const candidate of candidates) {
    if (oldest === undefined || (candidate.scrubbedMs ?? 0) < (oldest.scrubbedMs ?? 0)) oldest = candidate
  }
  if (oldest === undefined) return undefined
  // A stamp from the future is a clock that was set back: it counts as old.
  const scrubbedMs = (oldest.scrubbedMs ?? 0) > nowMs ? 0 : (oldest.scrubbedMs ?? 0)
  return { container: oldest.container, waitMs: Math.max(0, scrubbedMs + deadlineMs / 2 - nowMs) }
}

const slowestBytesPerSecond = 256 * 1024

/** All used bytes in half the deadline, so that restarts and busy days fit into the other half. */
export function scrubRate(usedBytes: number, deadlineMs: number): number {
  return Math.max(slowestBytesPerSecond, (usedBytes * 1000) / (deadlineMs / 2))
}

export function encodeScrubStamp(wallMs: number): Uint8Array {
  return new ByteWriter(16)
    .u8(version)
    .varint(Math.max(0, Math.floor(wallMs)))
    .finish()
}

/** Throws `Damaged`. */
export function decodeScrubStamp(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes)
  if (reader.u8() !== version) throw new StoreError('Damaged', 'a scrub stamp has an unknown version')
  return reader.varint()
}
