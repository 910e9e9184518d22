/** What a start does with a disk: finds the container files, and reads what the durable index does not know yet. */

import type { KvEntry } from '@o3/common/kv'
import type { ContainerId, LocalId } from '@o3/scm/api'
import { decodeRow } from '../core/block-row.ts'
import type { BlockRow } from '../core/block-row.ts'
import { decodeCheckpoint } from '../core/checkpoint-row.ts'
import type { IndexCheckpoint } from '../core/checkpoint-row.ts'
import type { ContainerLedger, DamagedRange } from '../core/container-ledger.ts'
import {
  formatContainerName,
  formatCopyName,
  isUnfinishedName,
  newestGenerations,
  parseCopyName,
} from '../core/container-name.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import {
  allBlocks,
  allCheckpoints,
  blockKeyPrefix,
  blockRange,
  containerOfKey,
  fileOfBlockKey,
  localOfKey,
  rowsOfFile,
} from '../core/index-keys.ts'
import { recordBytes } from '../core/record-layout.ts'
import { applyChange } from './container-view.ts'
import { ContainerFile } from './container-file.ts'
import { RewriteNote } from './rewrite-note.ts'
import { countContent } from './content-count.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory, proofOf } from './disk-scope.ts'
import { recoverContainer } from './recover-container.ts'

export interface RecoveredFile {
  readonly file: ContainerFile
  readonly ledger: ContainerLedger
  /** The highest local id in the index. */
  readonly highestLocal: LocalId
}

/** The index knows the container, and no file of it is there. */
export interface LostContainer {
  readonly container: ContainerId
  readonly checkpoint: IndexCheckpoint
}

export interface RecoveredDisk {
  readonly containers: readonly RecoveredFile[]
  readonly lost: readonly LostContainer[]
  /** Copies that a crash or a stop has left unfinished; one for a container that is not here. */
  readonly copies: readonly ContainerFileName[]
}

export async function recoverDisk(scope: DiskScope): Promise<RecoveredDisk> {
  const { names, copies } = await containerFiles(scope)
  const checkpoints = await readCheckpoints(scope)
  const containers: RecoveredFile[] = []
  const present = new Map(names.map(({ container, generation }) => [container, generation]))
  await removeOrphanRows(scope, ({ container, generation }) => {
    return present.has(container) ? present.get(container) === generation : checkpoints.has(container)
  })
  const note = new RewriteNote(scope)
  await note.resume()
  for (const name of names)
    containers.push(await recoverFile(scope, { name, checkpoint: checkpoints.get(name.container), note }))
  await note.end()
  scope.env.at('hdds.recover.before-checkpoint')
  const lost: LostContainer[] = []
  for (const [container, checkpoint] of checkpoints) {
    if (!present.has(container)) lost.push({ container, checkpoint })
  }
  for (const { container } of lost) reportLost(scope, container)
  return { containers, lost, copies }
}

interface FoundFiles {
  readonly names: readonly ContainerFileName[]
  readonly copies: readonly ContainerFileName[]
}

/** The newest generation of each container; older and unfinished files are removed. */
async function containerFiles(scope: DiskScope): Promise<FoundFiles> {
  const directory = containersDirectory(scope.path)
  const { newest, older, unknown } = newestGenerations(await scope.env.disk.list(directory))
  // A name that we see may be in memory only, after the process (and not the machine) was killed. Before an older
  // generation goes, the name of the newer one must be on the disk.
  await scope.env.disk.syncDirectory(directory)
  scope.env.at('hdds.recover.names-synced')
  const copies = newestGenerations(unknown.flatMap((name) => parseCopyName(name) ?? []).map(formatContainerName))
  const present = new Set(newest.map(({ container }) => container))
  for (const copy of [...copies.older, ...copies.newest.filter(({ container }) => present.has(container))]) {
    await scope.env.disk.remove(`${directory}/${formatCopyName(copy)}`)
  }
  for (const name of unknown) {
    if (parseCopyName(name) !== undefined) continue
    if (isUnfinishedName(name)) await scope.env.disk.remove(`${directory}/${name}`)
    else scope.log.warn({ file: name }, 'a file that is not ours lies among the containers')
  }
  for (const name of older) {
    await scope.env.disk.remove(`${directory}/${formatContainerName(name)}`)
    scope.env.at('hdds.recover.older-removed')
  }
  return { names: newest, copies: copies.newest.filter(({ container }) => !present.has(container)) }
}

async function readCheckpoints(scope: DiskScope): Promise<Map<ContainerId, IndexCheckpoint>> {
  const checkpoints = new Map<ContainerId, IndexCheckpoint>()
  const cursor = await scope.index.store.cursor(allCheckpoints)
  try {
    for (;;) {
      const entries = await cursor.next(1024)
      if (entries.length === 0) return checkpoints
      for (const { key, value } of entries) checkpoints.set(containerOfKey(key), decodeCheckpoint(value))
    }
  } finally {
    await cursor.close()
  }
}

/**
 * Rows of containers that were deleted just before a crash, and those that a compaction has left of the file before it, or
 * of one that it did not finish. One seek for each file that has rows.
 */
async function removeOrphanRows(scope: DiskScope, isKnown: (file: ContainerFileName) => boolean): Promise<void> {
  const { store } = scope.index
  const orphans: ContainerFileName[] = []
  const cursor = await store.cursor(allBlocks)
  try {
    for (;;) {
      const [entry] = await cursor.next(1)
      if (entry === undefined) break
      const file = fileOfBlockKey(entry.key)
      if (!isKnown(file)) orphans.push(file)
      cursor.seek(rowsOfFile(file).to)
    }
  } finally {
    await cursor.close()
  }
  for (const file of orphans) await scope.index.deleteRange(rowsOfFile(file))
}

interface ToRecover {
  readonly name: ContainerFileName
  readonly checkpoint: IndexCheckpoint | undefined
  readonly note: RewriteNote
}

async function recoverFile(scope: DiskScope, { name, checkpoint, note }: ToRecover): Promise<RecoveredFile> {
  const { env, path, pool } = scope
  const file = new ContainerFile({ disk: env.disk, directory: containersDirectory(path), name, pool })
  return await recoverInto(scope, file, { checkpoint, note })
}

/** Brings the index up to this file. There are no rows of other generations any more. Without `note` nothing in it is acknowledged. */
export async function recoverInto(
  scope: DiskScope,
  file: ContainerFile,
  { checkpoint, note }: Partial<ToRecover> = {},
): Promise<RecoveredFile> {
  const { env, index } = scope
  const { name } = file
  const keyPrefix = blockKeyPrefix(name.container, name.generation)
  const known = checkpoint?.generation === name.generation ? checkpoint : undefined
  const opened = await file.acquire()
  try {
    const recovered = await recoverContainer({
      env,
      file: opened,
      name,
      proof: proofOf(scope.uuid, name),
      checkpoint: known,
      named: (rows) => namedEnd(scope, keyPrefix, rows),
      ...(note && { rewrite: (bytes, from) => note.write(opened, name, { bytes, from }) }),
      apply: async (change) => {
        if (index.isBehind) await index.flush()
        applyChange(scope, keyPrefix, change)
      },
    })
    for (const range of recovered.damaged) reportDamage(scope, file, range)
    const { ledger } = recovered
    await countWhereUncertain(scope, ledger, keyPrefix)
    const { tornBytes, scannedBytes } = recovered
    if (scannedBytes > 0) scope.log.info({ container: name.container, scannedBytes, tornBytes }, 'container read again')
    return { file, ledger, highestLocal: await highestLocal(scope, keyPrefix, recovered.abandoned) }
  } finally {
    file.release()
  }
}

/**
 * Damaged headers hide blocks that the index may know, and old records say nothing of the hash: what is in the index counts.
 * A container of an earlier release costs one row; it is counted when it is scrubbed.
 */
async function countWhereUncertain(scope: DiskScope, ledger: ContainerLedger, keyPrefix: string): Promise<void> {
  if (!ledger.isDamaged && ledger.contentHash !== undefined) return
  const hash = await countContent(scope.index, keyPrefix)
  if (hash === undefined) ledger.forgetContentHash()
  else ledger.setContentHash(hash)
}

/** Where the last record ends that these rows name. */
async function namedEnd(scope: DiskScope, keyPrefix: string, rows: 'all' | 'highest'): Promise<number> {
  if (rows === 'highest') {
    const last = await highestRow(scope, keyPrefix)
    return last === undefined ? 0 : endOf(decodeRow(last.value))
  }
  let end = 0
  await scope.index.flush()
  await scope.index.scan(blockRange(keyPrefix), (_, row) => {
    end = Math.max(end, endOf(row))
  })
  return end
}

function endOf({ extents }: BlockRow): number {
  let end = 0
  for (const { fileOffset, length } of extents) {
    if (fileOffset !== undefined) end = Math.max(end, fileOffset + recordBytes(length))
  }
  return end
}

/** Blocks that were started and never committed count as well. */
async function highestLocal(scope: DiskScope, keyPrefix: string, abandoned: readonly LocalId[]): Promise<LocalId> {
  const last = await highestRow(scope, keyPrefix)
  return Math.max(0, ...abandoned, last === undefined ? 0 : localOfKey(last.key))
}

/** One seek from the end. */
async function highestRow({ index }: DiskScope, keyPrefix: string): Promise<KvEntry | undefined> {
  await index.flush()
  const cursor = await index.store.cursor({ ...blockRange(keyPrefix), reverse: true })
  try {
    const [last] = await cursor.next(1)
    return last
  } finally {
    await cursor.close()
  }
}

function reportDamage(scope: DiskScope, file: ContainerFile, range: DamagedRange): void {
  const { path, name } = file
  const message = `container ${name.container}: bytes ${range.from} to ${range.to} of its file are damaged`
  scope.log.error({ container: name.container, path, from: range.from, to: range.to }, 'a container file is damaged')
  scope.report({ kind: 'damaged-chunk', container: name.container, path, fileOffset: range.from, message })
}

function reportLost(scope: DiskScope, container: ContainerId): void {
  const path = containersDirectory(scope.path)
  scope.log.error({ container, path }, 'the file of a container is missing')
  scope.report({
    kind: 'unreadable',
    container,
    path,
    fileOffset: 0,
    message: `the file of container ${container} is missing`,
  })
}
