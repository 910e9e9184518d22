/** Which of a datanode's disks take part. */

import { StoreError, assert } from '@o3/common/errors'
import { diskFailureText, isFaultOfDisk } from '../core/disk-failure.ts'
import type { Container } from '../storage/container.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { AbsentDisk } from './local-datanode.ts'

export interface DisksToOpen {
  readonly paths: readonly string[]
  readonly away: readonly AbsentDisk[]
  /** Of `paths`, those that were away at an earlier start. */
  readonly returned: readonly string[]
  readonly lostDisks: 'refuse' | 'go-on'
  readonly open: (path: string) => Promise<DataDisk>
}

export interface OpenedDisks {
  /** Those that have returned come last. */
  readonly kept: readonly DataDisk[]
  /** Those that are left out. */
  readonly away: readonly AbsentDisk[]
}

interface Failure {
  readonly path: string
  readonly error: Error
}

/**
 * Opens them side by side. With `go-on` those that fail by a fault of their own are left out. What was made anew elsewhere while a disk
 * was away is set aside there when the new replica is known to have everything; else nobody can say which of the two is meant, and
 * the disk is left out as well. Nothing stays open when it rejects.
 */
export async function openDisks(options: DisksToOpen): Promise<OpenedDisks> {
  const { opened, failures } = await openAll(options)
  const refusal = refusalOf(options, failures, opened.length)
  if (refusal !== undefined) {
    for (const disk of opened) await disk.close()
    throw refusal
  }
  const failed = failures.map(({ path, error }): AbsentDisk => ({ path, why: whyOf(error, path) }))
  const { kept, stale } = await leaveStaleOut(opened, options.returned)
  return { kept, away: [...options.away, ...failed, ...stale] }
}

async function openAll({
  paths,
  open,
}: DisksToOpen): Promise<{ readonly opened: readonly DataDisk[]; readonly failures: readonly Failure[] }> {
  const opened: DataDisk[] = []
  const failures: Failure[] = []
  const results = await Promise.allSettled(paths.map(open))
  for (const [n, result] of results.entries()) {
    const path = paths[n]
    assert(path !== undefined, 'there is a result for each disk')
    if (result.status === 'fulfilled') opened.push(result.value)
    else failures.push({ path, error: result.reason as Error })
  }
  return { opened, failures }
}

/** A mistake of a person comes before what disks do: it is the one that can be put right now. */
function refusalOf({ lostDisks }: DisksToOpen, failures: readonly Failure[], opened: number): Error | undefined {
  const mistake = failures.find(({ error }) => !isFaultOfDisk(error))
  if (mistake !== undefined) return mistake.error
  const [first] = failures
  if (first === undefined || (lostDisks === 'go-on' && opened > 0)) return undefined
  const { path, error } = first
  const text =
    lostDisks === 'refuse'
      ? `the disk ${path} cannot be used: ${whyOf(error, path)}`
      : `none of the disks can be used: ${failures.map((each) => `${each.path}: ${whyOf(each.error, each.path)}`).join('; ')}`
  return error instanceof StoreError
    ? new StoreError(error.code, text, { details: error.details, cause: error })
    : error
}

function whyOf(error: Error, path: string): string {
  return error instanceof StoreError ? diskFailureText(error, path) : error.message
}

async function leaveStaleOut(
  disks: readonly DataDisk[],
  returned: readonly string[],
): Promise<{ readonly kept: readonly DataDisk[]; readonly stale: readonly AbsentDisk[] }> {
  const stale: AbsentDisk[] = []
  const kept: DataDisk[] = []
  // Those that never were away come first: what they have is what has been worked with.
  const ordered = disks.toSorted((a, b) => Number(returned.includes(a.path)) - Number(returned.includes(b.path)))
  for (const disk of ordered) {
    const twice = returned.includes(disk.path) ? twins(disk, kept) : []
    const unclear = twice.find(({ newer }) => !isWhole(newer))
    if (unclear === undefined) {
      const failure = await setAside(disk, twice)
      if (failure === undefined) kept.push(disk)
      else stale.push(failure)
      continue
    }
    await disk.close()
    const what = `container ${unclear.older.id} was made anew on another disk, and is not whole there`
    stale.push({ path: disk.path, why: `while it was away, ${what}` })
  }
  return { kept, stale }
}

/** What it fails with is its own affair: the others go on without it. */
async function setAside(disk: DataDisk, twice: readonly Twins[]): Promise<AbsentDisk | undefined> {
  try {
    for (const { older } of twice) await disk.setAside(older)
    return undefined
  } catch (error) {
    await disk.close()
    if (!(error instanceof StoreError)) throw error
    return { path: disk.path, why: whyOf(error, disk.path) }
  }
}

interface Twins {
  readonly older: Container
  readonly newer: Container
}

function twins(disk: DataDisk, kept: readonly DataDisk[]): readonly Twins[] {
  return [...disk.containers.values()].flatMap((older) => {
    const newer = kept.map(({ containers }) => containers.get(older.id)).find((each) => each !== undefined)
    return newer === undefined ? [] : [{ older, newer }]
  })
}

/** Closed by agreement, or a copy of such a one. */
function isWhole({ ledger, isDamaged }: Container): boolean {
  return ledger.sealState === 'agreed' && !isDamaged
}
