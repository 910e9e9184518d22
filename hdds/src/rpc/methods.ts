/** The names of a datanode's calls, and what they carry. A changed payload is a new name beside the old one. */

import {
  agreementRequest,
  blockInfo,
  byteCount,
  containerReport,
  containerRequest,
  diskReport,
  done,
  newBlockRequest,
  newPipelineRequest,
  openedBlockRequest,
  pipelineReport,
  pageRequest,
  pipelineRequest,
  plainRequest,
  rangesRequest,
  readRequest,
  receipt,
  replicaSummary,
  scrubFinding,
} from './records.ts'
import type { Addressed, Codec, ItemCodec } from './records.ts'

/** One question, one answer. A body, where there is one, is bytes of a block as they are. */
export interface Exchange<Request, Reply> {
  readonly request: Codec<Addressed<Request>>
  readonly reply: Codec<Reply>
}

/** The answer is the body: items until it ends. */
export interface Listing<Request, Item> {
  readonly request: Codec<Addressed<Request>>
  readonly items: ItemCodec<Item>
}

const exchange = <Request, Reply>(
  request: Codec<Addressed<Request>>,
  reply: Codec<Reply>,
): Exchange<Request, Reply> => ({ request, reply })
const listing = <Request, Item>(
  request: Codec<Addressed<Request>>,
  items: ItemCodec<Item>,
): Listing<Request, Item> => ({
  request,
  items,
})

export const exchanges = {
  /** Body of the call: the block. */
  'hdds.writeBlock.1': exchange(newBlockRequest, receipt),
  /** Body of the call: runs (`runs.ts`). Body of the reply: a mark for each run. */
  'hdds.openWriter.1': exchange(openedBlockRequest, done),
  /** Body of the reply: the bytes of the range. */
  'hdds.read.1': exchange(readRequest, done),
  /** Body of the reply: the bytes of the range, in one piece. */
  'hdds.readSmall.1': exchange(readRequest, done),
  'hdds.createContainer.1': exchange(containerRequest, done),
  'hdds.closeContainer.1': exchange(containerRequest, done),
  'hdds.deleteContainer.1': exchange(containerRequest, done),
  'hdds.deleteBlocks.1': exchange(rangesRequest, done),
  'hdds.compact.1': exchange(plainRequest, byteCount),
  'hdds.summarizeReplica.1': exchange(containerRequest, replicaSummary),
  /** Body of the reply: frames (`copy/block-frames.ts`). */
  'hdds.readBlocks.1': exchange(rangesRequest, done),
  'hdds.createPipeline.1': exchange(newPipelineRequest, done),
  'hdds.closePipeline.1': exchange(pipelineRequest, done),
  'hdds.agreeBlock.1': exchange(agreementRequest, done),
} as const

export const listings = {
  'hdds.listBlocks.2': listing(containerRequest, blockInfo),
  'hdds.containers.3': listing(plainRequest, containerReport),
  'hdds.disks.2': listing(plainRequest, diskReport),
  'hdds.scrubContainer.1': listing(containerRequest, scrubFinding),
  'hdds.findings.1': listing(plainRequest, scrubFinding),
  'hdds.listReplica.1': listing(pageRequest, blockInfo),
  'hdds.pipelines.1': listing(plainRequest, pipelineReport),
} as const

export type ExchangeName = keyof typeof exchanges
export type ListingName = keyof typeof listings

export type RequestOf<Name extends ExchangeName | ListingName> = (typeof exchanges & typeof listings)[Name] extends {
  readonly request: Codec<Addressed<infer Request>>
}
  ? Request
  : never
export type ReplyOf<Name extends ExchangeName> = (typeof exchanges)[Name] extends { readonly reply: Codec<infer Reply> }
  ? Reply
  : never
export type ItemOf<Name extends ListingName> = (typeof listings)[Name] extends { readonly items: ItemCodec<infer Item> }
  ? Item
  : never
