import type { ContainerId } from '@o3/scm/api'

export interface CompactionLimits {
  /** Of the file: less garbage is not worth the rewriting. */
  readonly compactGarbageShare: number
  readonly compactGarbageBytes: number
}

/** What is known of a container when it is asked about. */
export interface CompactionCandidate {
  readonly container: ContainerId
  /** No data comes any more. */
  readonly sealed: boolean
  /** Some of it does not verify: it is left as it is, for whoever repairs it. */
  readonly damaged: boolean
  readonly usedBytes: number
  readonly liveBytes: number
}

/** A file with nothing but its seal and a few tombstones is not rewritten for their sake. */
const emptyFileBytes = 4096

/** The containers to rewrite, most bytes given back per byte copied first: the dead ones cost nothing. */
export function planCompaction(candidates: readonly CompactionCandidate[], limits: CompactionLimits): ContainerId[] {
  return candidates
    .filter((candidate) => isWorthIt(candidate, limits))
    .toSorted((a, b) => a.liveBytes / a.usedBytes - b.liveBytes / b.usedBytes)
    .map(({ container }) => container)
}

function isWorthIt({ sealed, damaged, usedBytes, liveBytes }: CompactionCandidate, limits: CompactionLimits): boolean {
  if (!sealed || damaged) return false
  if (liveBytes === 0) return usedBytes > emptyFileBytes
  const garbage = usedBytes - liveBytes
  return garbage >= limits.compactGarbageBytes && garbage >= usedBytes * limits.compactGarbageShare
}
