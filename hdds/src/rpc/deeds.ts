/** What each call does with blocks, and which tokens allow it. A method without an entry does not compile. */

import type { ContainerId } from '@o3/scm/api'
import { allBlocks } from '@o3/scm/tokens'
import type { BlockDeed, TokenMode } from '@o3/scm/tokens'
import type { BlockId } from '@o3/scm/api'
import type { ExchangeName, ListingName, RequestOf } from './methods.ts'

/**
 * `report`: it tells how things are, or looks after them, and gives no byte of a block away. `heartbeat`: SCM asks for it in
 * the answers to heartbeats, and over the wire nobody may. Several deeds: one token must allow all.
 */
export type Deed = readonly BlockDeed[] | 'report' | 'heartbeat'

const writing: readonly TokenMode[] = ['WRITE', 'COPY']
const reading: readonly TokenMode[] = ['READ', 'COPY']
const copying: readonly TokenMode[] = ['COPY']
const deleting: readonly TokenMode[] = ['DELETE']

const withBlock = (modes: readonly TokenMode[], { container, local }: BlockId): Deed => [
  { modes, container, firstLocal: local, count: 1 },
]
const withContainer = (modes: readonly TokenMode[], container: ContainerId): Deed => [
  { modes, container, ...allBlocks },
]

const report = (): Deed => 'report'
const heartbeat = (): Deed => 'heartbeat'

export const deeds: { readonly [Name in ExchangeName | ListingName]: (request: RequestOf<Name>) => Deed } = {
  'hdds.writeBlock.1': ({ block }) => withBlock(writing, block),
  'hdds.openWriter.1': ({ block }) => withBlock(writing, block),
  'hdds.agreeBlock.1': ({ agreed }) => withBlock(writing, agreed.block),
  'hdds.read.1': ({ block }) => withBlock(reading, block),
  'hdds.readSmall.1': ({ block }) => withBlock(reading, block),
  'hdds.listBlocks.2': (container) => withContainer(copying, container),
  'hdds.createContainer.1': (container) => withContainer(copying, container),
  'hdds.closeContainer.1': (container) => withContainer(copying, container),
  'hdds.deleteContainer.1': (container) => withContainer(deleting, container),
  'hdds.deleteBlocks.1': (ranges) => ranges.map((range) => ({ modes: deleting, ...range })),
  'hdds.summarizeReplica.1': (container) => withContainer(copying, container),
  'hdds.listReplica.1': ({ container }) => withContainer(copying, container),
  'hdds.readBlocks.1': (ranges) => ranges.map((range) => ({ modes: copying, ...range })),
  'hdds.createPipeline.1': heartbeat,
  'hdds.closePipeline.1': heartbeat,
  'hdds.compact.1': report,
  'hdds.containers.3': report,
  'hdds.disks.2': report,
  'hdds.scrubContainer.1': report,
  'hdds.findings.1': report,
  'hdds.pipelines.1': report,
}
