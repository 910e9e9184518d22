/**
 * The offline checker: what a start would find on a disk, and more, without changing a byte. Every record of every
 * container is read and verified. For `o3 doctor`, with no datanode running on the disk.
 */

import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import { Counter } from '@o3/common/metrics'
import type { ContainerId, LocalId } from '@o3/scm/api'
import type { BlockInfo } from '../api/api.ts'
import type { BlockRow } from '../core/block-row.ts'
import { decodeRow, encodeRow } from '../core/block-row.ts'
import { decodeCheckpoint } from '../core/checkpoint-row.ts'
import type { IndexCheckpoint } from '../core/checkpoint-row.ts'
import type { LedgerChange, LedgerSums } from '../core/container-ledger.ts'
import { emptyHash, formatHash, sameHash, withBlock } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { formatContainerName, isUnfinishedName, newestGenerations, parseCopyName } from '../core/container-name.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import {
  allCheckpoints,
  blockKeyPrefix,
  blockRange,
  checkpointKey,
  containerOfKey,
  localOfKey,
} from '../core/index-keys.ts'
import type { DiskIdentity } from '../core/disk-identity.ts'
import { planReads } from '../core/read-plan.ts'
import type { ExtentRead } from '../core/read-plan.ts'
import type { RewrittenBytes } from '../core/rewritten-bytes.ts'
import { readExtent } from './block-reader.ts'
import type { ReadSource } from './block-reader.ts'
import { readLabel } from './disk-label.ts'
import { containersDirectory, indexDirectory, proofOf } from './disk-scope.ts'
import { ReadBuffers } from './read-buffers.ts'
import { ContainerScan } from './recover-container.ts'
import { asRewritten, notedRewrite } from './rewrite-note.ts'

export interface CheckOptions {
  readonly env: Pick<Env, 'disk' | 'at'>
  /**
   * With it, the index is compared with the files. Opening the key-value store may rewrite its own files; nothing else
   * on the disk is written.
   */
  readonly openKv?: (path: string) => Promise<KvStore>
  /** Told of each block that is in a file, damaged or not. */
  readonly onBlock?: (block: BlockInfo) => void
}

export interface DiskProblem {
  readonly kind: 'damaged-range' | 'damaged-block' | 'index-mismatch' | 'missing-file' | 'unknown-file'
  readonly path: string
  /** Where in the file, for damage. */
  readonly fileOffset?: number
  readonly container?: ContainerId
  readonly local?: LocalId
  readonly message: string
}

export interface ContainerCheck {
  readonly container: ContainerId
  readonly generation: number
  readonly path: string
  readonly sealed: boolean
  readonly usedBytes: number
  readonly liveBytes: number
  readonly blocks: number
  /** As in `ContainerReport`; undefined where a block of an earlier release has no checksum yet. */
  readonly contentHash: string | undefined
  /** Bytes behind the last record: what the next start cuts off. Not a problem. */
  readonly tailBytes: number
}

export interface DiskCheck {
  readonly path: string
  /** Undefined for an empty directory: there is nothing to check. */
  readonly identity: DiskIdentity | undefined
  readonly containers: readonly ContainerCheck[]
  readonly problems: readonly DiskProblem[]
  /** Whether the index was compared. */
  readonly indexChecked: boolean
}

/** Rejects with `Incompatible` when the directory is not a disk of ours. */
export async function checkDisk(options: CheckOptions, path: string): Promise<DiskCheck> {
  const identity = await readLabel(options.env.disk, path)
  const indexChecked = options.openKv !== undefined && identity !== undefined
  const kv = indexChecked ? await options.openKv?.(indexDirectory(path)) : undefined
  try {
    const check = new DiskChecker(options, path, kv)
    if (identity !== undefined) await check.run(identity)
    return { path, identity, containers: check.containers, problems: check.problems, indexChecked }
  } finally {
    await kv?.close()
  }
}

interface ScannedContainer {
  readonly rows: Map<LocalId, BlockRow>
  readonly sums: LedgerSums
  readonly scan: ContainerScan
}

class DiskChecker {
  readonly containers: ContainerCheck[] = []
  readonly problems: DiskProblem[] = []
  private readonly options: CheckOptions
  private readonly path: string
  private readonly kv: KvStore | undefined
  private readonly buffers = new ReadBuffers(4)
  private rewrite: RewrittenBytes | undefined

  constructor(options: CheckOptions, path: string, kv: KvStore | undefined) {
    this.options = options
    this.path = path
    this.kv = kv
  }

  async run(identity: DiskIdentity): Promise<void> {
    const { disk } = this.options.env
    const directory = containersDirectory(this.path)
    if ((await disk.stat(directory)) === undefined) return
    this.rewrite = await notedRewrite(disk, this.path)
    const names = await disk.list(directory)
    // Older generations and unfinished files are what a crash left of a compaction; the next start removes them.
    const { newest, unknown } = newestGenerations(names)
    for (const name of unknown) {
      if (isUnfinishedName(name) || parseCopyName(name) !== undefined) continue
      this.problems.push({ kind: 'unknown-file', path: `${directory}/${name}`, message: 'this file is not ours' })
    }
    for (const name of newest) await this.checkContainer(identity, name)
    if (this.kv !== undefined) await this.findMissing(this.kv, new Set(newest.map(({ container }) => container)))
  }

  private async checkContainer(identity: DiskIdentity, name: ContainerFileName): Promise<void> {
    const { env } = this.options
    const path = `${containersDirectory(this.path)}/${formatContainerName(name)}`
    const proof = proofOf(identity.diskUuid, name)
    const file = asRewritten(await env.disk.open(path, 'read'), name, this.rewrite)
    try {
      const size = await file.size()
      const checkpoint = await this.checkpointOf(name)
      const { rows, sums, scan } = await scanFile({ env, file, name, proof, checkpoint: undefined }, size)
      const at = { path, container: name.container }
      for (const { from, to } of sums.damaged) {
        this.problems.push({
          ...at,
          kind: 'damaged-range',
          fileOffset: from,
          message: `bytes ${from} to ${to} are damaged`,
        })
      }
      await this.checkPayloads({ file, path, name, proof }, rows)
      if (checkpoint !== undefined && size < checkpoint.sums.end) {
        const message = `the file has ${size} bytes; ${checkpoint.sums.end} were durable`
        this.problems.push({ ...at, kind: 'damaged-range', fileOffset: size, message })
      }
      if (this.kv !== undefined) {
        const tail = await scanFile({ env, file, name, proof, checkpoint }, size, await this.rowsOf(this.kv, name))
        this.compareIndex(at, rows, tail.rows)
        this.compareHash(at, tail)
      }
      const { seal, end: usedBytes, liveBytes, blockCount: blocks, hash } = sums
      const sealed = seal !== 'none'
      const tailBytes = Math.max(0, size - scan.tail)
      const { container, generation } = name
      const contentHash = hash === undefined ? undefined : formatHash(hash)
      this.containers.push({
        container,
        generation,
        path,
        sealed,
        usedBytes,
        liveBytes,
        blocks,
        contentHash,
        tailBytes,
      })
    } finally {
      await file.close()
    }
  }

  private async checkPayloads(
    place: Pick<ReadSource, 'file' | 'path' | 'name' | 'proof'>,
    rows: ReadonlyMap<LocalId, BlockRow>,
  ): Promise<void> {
    const readBytes = new Counter()
    const report = ({ fileOffset, local, message }: { fileOffset: number; local?: LocalId; message: string }): void => {
      const { container } = place.name
      const block = local === undefined ? {} : { local }
      this.problems.push({ kind: 'damaged-block', path: place.path, container, fileOffset, message, ...block })
    }
    const source = { ...place, report, readBytes }
    const { container } = place.name
    for (const [local, row] of rows) {
      for (const read of planReads(row, 0, row.lengthBytes)) await this.checkPayload(source, local, read)
      this.options.onBlock?.({ block: { container, local }, lengthBytes: row.lengthBytes })
    }
  }

  private async checkPayload(source: ReadSource, local: LocalId, read: ExtentRead): Promise<void> {
    try {
      const { buffer } = await readExtent(source, local, read, this.buffers)
      this.buffers.give(buffer)
    } catch (error) {
      // Noted by the source's `report`.
      if (!isStoreError(error, 'Damaged')) throw error
    }
  }

  private compareIndex(
    at: { readonly path: string; readonly container: ContainerId },
    inFile: ReadonlyMap<LocalId, BlockRow>,
    inIndex: ReadonlyMap<LocalId, BlockRow>,
  ): void {
    const problem = (local: LocalId, message: string): void => {
      this.problems.push({ ...at, kind: 'index-mismatch', local, message })
    }
    for (const [local, row] of inFile) {
      const indexed = inIndex.get(local)
      if (indexed === undefined) problem(local, `block ${local} is in the file and not in the index`)
      else if (!sameRow(row, indexed)) problem(local, `the index has block ${local} in another place`)
    }
    for (const local of inIndex.keys()) {
      if (!inFile.has(local)) problem(local, `block ${local} is in the index and not in the file`)
    }
  }

  /** The sum that is kept, against a full count. */
  private compareHash(
    at: { readonly path: string; readonly container: ContainerId },
    { sums, rows }: ScannedContainer,
  ): void {
    let counted: ContentHash | undefined = emptyHash
    for (const [local, row] of rows) counted = withBlock(counted, { local, ...row })
    const { hash } = sums
    if (hash === undefined || counted === undefined || sameHash(hash, counted)) return
    const message = `the content hash is ${formatHash(hash)}; its blocks add up to ${formatHash(counted)}`
    this.problems.push({ ...at, kind: 'index-mismatch', message })
  }

  private async findMissing(kv: KvStore, present: ReadonlySet<ContainerId>): Promise<void> {
    for (const container of await checkpointedContainers(kv)) {
      if (present.has(container)) continue
      const message = `the index knows container ${container}, and its file is missing`
      this.problems.push({ kind: 'missing-file', path: containersDirectory(this.path), container, message })
    }
  }

  private async checkpointOf({ container, generation }: ContainerFileName): Promise<IndexCheckpoint | undefined> {
    const value = await this.kv?.get(checkpointKey(container))
    const checkpoint = value === undefined ? undefined : decodeCheckpoint(value)
    return checkpoint?.generation === generation ? checkpoint : undefined
  }

  private async rowsOf(kv: KvStore, { container, generation }: ContainerFileName): Promise<Map<LocalId, BlockRow>> {
    const rows = new Map<LocalId, BlockRow>()
    const cursor = kv.cursor(blockRange(blockKeyPrefix(container, generation)))
    try {
      for (;;) {
        const entries = await cursor.next(1024)
        if (entries.length === 0) return rows
        for (const { key, value } of entries) rows.set(localOfKey(key), decodeRow(value))
      }
    } finally {
      await cursor.close()
    }
  }
}

type ScanOptions = Omit<ConstructorParameters<typeof ContainerScan>[0], 'apply'>

/** What recovery would make of the file, in memory. */
async function scanFile(
  options: ScanOptions,
  size: number,
  rows = new Map<LocalId, BlockRow>(),
): Promise<ScannedContainer> {
  const scan = new ContainerScan({ ...options, apply: (change) => applyTo(rows, change) })
  await scan.readRecords(size)
  await scan.settleUnconfirmed(size)
  await scan.applyKept()
  return { rows, sums: scan.ledger.sums(), scan }
}

function applyTo(rows: Map<LocalId, BlockRow>, change: LedgerChange): void {
  if (change.kind === 'put') {
    rows.set(change.local, change.row)
    return
  }
  for (const { first, count } of change.runs) for (let local = first; local < first + count; local++) rows.delete(local)
}

function sameRow(a: BlockRow, b: BlockRow): boolean {
  // The index may know a checksum that an old commit record does not say; where both do they must agree.
  const known = a.checksum !== undefined && b.checksum !== undefined
  const left = encodeRow(known ? a : { ...a, checksum: undefined })
  const right = encodeRow(known ? b : { ...b, checksum: undefined })
  return left.length === right.length && left.every((byte, i) => byte === right[i])
}

async function checkpointedContainers(kv: KvStore): Promise<readonly ContainerId[]> {
  const found: ContainerId[] = []
  const cursor = kv.cursor(allCheckpoints)
  try {
    for (;;) {
      const entries = await cursor.next(1024)
      if (entries.length === 0) return found
      for (const { key } of entries) found.push(containerOfKey(key))
    }
  } finally {
    await cursor.close()
  }
}
