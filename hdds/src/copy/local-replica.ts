/** What a datanode tells and gives to those that make other replicas of its own. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Clock } from '@o3/common/env'
import type { BlockRange, ContainerId, LocalId } from '@o3/scm/api'
import { maxChunkBytes } from '../api/api.ts'
import type { BlockInfo, BlockPage, ReplicaSummary } from '../api/api.ts'
import type { BlockRow } from '../core/block-row.ts'
import { formatHash } from '../core/content-hash.ts'
import { blockKey, blockRange, localOfKey } from '../core/index-keys.ts'
import { readPieces, readSmall } from '../storage/container-reads.ts'
import type { Container } from '../storage/container.ts'
import { settleContentHash } from '../storage/content-count.ts'
import { Pace } from '../storage/pace.ts'
import { encodeFrameHead } from './block-frames.ts'

const maxPageBlocks = 16_384
/** Blocks whose rows are looked up at once. */
const rowsAtOnce = 512
/** Small blocks that are read side by side and leave in one piece. */
const blocksAtOnce = 64

/** Throws what keeps it from reading a block whose checksum is to be found, but for damage: then it is not known. */
export async function summarize(container: Container, clock: Clock): Promise<ReplicaSummary> {
  try {
    await settleContentHash(container, { pace: new Pace(clock, () => Infinity) })
  } catch (error) {
    if (!isStoreError(error, 'Damaged')) throw error
  }
  const { ledger, generation, isDamaged: damaged } = container
  const { contentHash: hash } = ledger
  const facts = { seal: ledger.sealState, damaged, generation, liveBytes: ledger.live, blockCount: ledger.blocks }
  return hash === undefined ? facts : { ...facts, contentHash: formatHash(hash) }
}

/** A page of its blocks, as they are in this moment. */
export async function listPage(container: Container, { after, limit }: BlockPage): Promise<readonly BlockInfo[]> {
  if (limit > maxPageBlocks) throw new StoreError('TooManyEntries', `a page has at most ${maxPageBlocks} blocks`)
  const { scope, current, id } = container
  const file = current.file
  await file.acquire()
  try {
    await scope.index.flush()
    const blocks: BlockInfo[] = []
    await scope.index.scan(blockRange(current.keyPrefix, after + 1), (key, { lengthBytes, checksum }) => {
      const block = { container: id, local: localOfKey(key) }
      blocks.push(checksum === undefined ? { block, lengthBytes } : { block, lengthBytes, checksum })
      return blocks.length === limit ? 'stop' : undefined
    })
    return blocks
  } finally {
    file.release()
  }
}

/** See `ReplicaSource.readBlocks`. A piece is the caller's. */
export async function* framedBlocks(
  find: (id: ContainerId) => Container,
  ranges: readonly BlockRange[],
): AsyncGenerator<Uint8Array, undefined> {
  const [first] = ranges
  if (first === undefined) return
  if (ranges.some(({ container }) => container !== first.container)) {
    throw new StoreError('InvalidArgument', 'blocks of one container at a time')
  }
  if (ranges.reduce((sum, { count }) => sum + count, 0) > maxPageBlocks) {
    throw new StoreError('TooManyEntries', `at most ${maxPageBlocks} blocks at a time`)
  }
  const container = find(first.container)
  for (const locals of inGroups(ranges)) yield* framesOf(container, locals)
}

async function* framesOf(container: Container, locals: readonly LocalId[]): AsyncGenerator<Uint8Array, undefined> {
  const { scope, current } = container
  const rows = await scope.index.getMany(locals.map((local) => blockKey(current.keyPrefix, local)))
  let group: Wanted[] = []
  let bytes = 0
  for (const [i, local] of locals.entries()) {
    const row = rows[i]
    const length = row?.lengthBytes ?? 0
    if (group.length > 0 && (bytes + length > maxChunkBytes || group.length === blocksAtOnce)) {
      yield await smallFrames(container, group)
      group = []
      bytes = 0
    }
    if (row !== undefined && length > maxChunkBytes) yield* largeFrame(container, local, row)
    else {
      group.push({ local, row })
      bytes += length
    }
  }
  if (group.length > 0) yield await smallFrames(container, group)
}

interface Wanted {
  readonly local: LocalId
  readonly row: BlockRow | undefined
}

async function smallFrames(container: Container, group: readonly Wanted[]): Promise<Uint8Array> {
  const frames = await Promise.all(group.map((wanted) => smallFrame(container, wanted)))
  const joined = Buffer.concat(frames.flat())
  return new Uint8Array(joined.buffer, joined.byteOffset, joined.length)
}

async function smallFrame(container: Container, { local, row }: Wanted): Promise<readonly Uint8Array[]> {
  if (row === undefined) return [without('absent', local)]
  const { lengthBytes, checksum } = row
  // Nobody could prove it.
  if (checksum === undefined) return [without('damaged', local)]
  try {
    const bytes = await readSmall(container, { local, range: { offset: 0, length: lengthBytes } })
    return [encodeFrameHead({ kind: 'block', local, lengthBytes, checksum }), bytes]
  } catch (error) {
    if (isStoreError(error, 'BlockNotFound')) return [without('absent', local)] // deleted meanwhile
    if (isStoreError(error, 'Damaged')) return [without('damaged', local)]
    throw error
  }
}

async function* largeFrame(
  container: Container,
  local: LocalId,
  { lengthBytes, checksum }: BlockRow,
): AsyncGenerator<Uint8Array, undefined> {
  if (checksum === undefined) {
    yield without('damaged', local)
    return
  }
  yield encodeFrameHead({ kind: 'block', local, lengthBytes, checksum })
  const range = { offset: 0, length: lengthBytes }
  const { buffers } = container
  for await (const piece of readPieces({ container: () => container, local, range, buffers })) {
    yield new Uint8Array(piece)
  }
}

function without(kind: 'absent' | 'damaged', local: LocalId): Uint8Array {
  return encodeFrameHead({ kind, local, lengthBytes: 0, checksum: 0 })
}

/** Ids of the ranges, some at a time. */
function* inGroups(ranges: readonly BlockRange[]): Generator<readonly LocalId[]> {
  let group: LocalId[] = []
  for (const { firstLocal, count } of ranges) {
    for (let local = firstLocal; local < firstLocal + count; local++) {
      group.push(local)
      if (group.length < rowsAtOnce) continue
      yield group
      group = []
    }
  }
  if (group.length > 0) yield group
}
