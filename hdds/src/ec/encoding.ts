/** What a reader must know of an encoded container, from whichever shard has it. */

import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import { DirectoryPage, decodeIndex } from '../core/ec/directory.ts'
import type { PageSummary } from '../core/ec/directory.ts'
import { directoryIndexLocal, directoryPageLocal } from '../core/ec/shard-locals.ts'
import { streamOf } from '../core/ec/shard-descriptor.ts'
import type { EncodingDescriptor } from '../core/ec/shard-descriptor.ts'
import type { EcStream } from '../core/ec/stripe-layout.ts'
import { crc32c } from '../storage/checksum.ts'
import type { ShardReads } from './shard-reads.ts'
import { someOfMany } from './some-of-many.ts'
import type { Gathering, Hedge } from './some-of-many.ts'

export interface Encoding {
  readonly descriptor: EncodingDescriptor
  readonly stream: EcStream
  readonly index: readonly PageSummary[]
  /** As it is stored. */
  readonly indexRecord: Uint8Array
  readonly memoryBytes: number
}

/** In which order shards are asked, and when the next one is. */
export interface ReadManner {
  readonly order: readonly number[]
  readonly hedge?: Hedge
  readonly onFailure?: Gathering<unknown>['onFailure']
}

/** `Unavailable`, `Damaged`. */
export async function loadEncoding(reads: ShardReads, manner: ReadManner): Promise<Encoding> {
  return await fromAnyShard(manner, async (shard) => {
    const descriptor = await reads.descriptor(shard)
    const { indexBytes: lengthBytes, indexChecksum: checksum } = descriptor
    const indexRecord = await loadChecked(reads, { shard, local: directoryIndexLocal, lengthBytes, checksum })
    const index = decodeIndex(indexRecord)
    const memoryBytes = 100 * index.length + indexRecord.length + 1024
    return { descriptor, stream: streamOf(descriptor), index, indexRecord, memoryBytes }
  })
}

/** A page of the directory as it is stored, checked. */
export async function loadPageBytes(
  reads: ShardReads,
  { index }: Pick<Encoding, 'index'>,
  { page, manner }: { readonly page: number; readonly manner: ReadManner },
): Promise<Uint8Array> {
  const { lengthBytes, checksum } = index[page] as PageSummary
  return await fromAnyShard(manner, (shard) =>
    loadChecked(reads, { shard, local: directoryPageLocal(page), lengthBytes, checksum }),
  )
}

export async function loadPage(
  reads: ShardReads,
  encoding: Pick<Encoding, 'index'>,
  which: { readonly page: number; readonly manner: ReadManner },
): Promise<DirectoryPage> {
  return new DirectoryPage(await loadPageBytes(reads, encoding, which))
}

interface Checked {
  readonly shard: number
  readonly local: LocalId
  readonly lengthBytes: number
  readonly checksum: number
}

/** `Damaged` when the shard has other bytes than the checksum tells, however sound they are where they lie. */
async function loadChecked(reads: ShardReads, checked: Checked): Promise<Uint8Array> {
  const { shard, local, lengthBytes, checksum } = checked
  const bytes = await reads.read(shard, local, { offset: 0, length: lengthBytes })
  if (crc32c(bytes) === checksum) return bytes
  const container = reads.layout.shards[shard]?.container ?? 0
  throw new StoreError('Damaged', `shard ${shard} of container ${reads.parent} has another directory`, {
    details: { container, local, offset: 0, path: '' },
  })
}

async function fromAnyShard<T>({ order, ...rest }: ReadManner, ask: (shard: number) => Promise<T>): Promise<T> {
  const found = await someOfMany({ need: 1, candidates: order, ask, ...rest })
  for (const answer of found.values()) return answer
  throw new StoreError('Internal', 'a race ended without a winner')
}
