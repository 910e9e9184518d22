import { blockInfo, containerReport, diskReport, pipelineReport, scrubFinding } from '../../src/rpc/records.ts'
import type { ExchangeName, ListingName, ReplyOf, RequestOf } from '../../src/rpc/methods.ts'

const block = { container: 300, local: 70_000 }
const access = { pipeline: 'p-1', token: Uint8Array.of(1, 2, 3) }
const largest = { container: Number.MAX_SAFE_INTEGER, local: 0xffff_ffff }

/** A few of each, for golden bytes and round trips. */
export const exchangeSamples: {
  readonly [Name in ExchangeName]: {
    readonly requests: readonly RequestOf<Name>[]
    readonly replies: readonly ReplyOf<Name>[]
  }
} = {
  'hdds.writeBlock.1': {
    requests: [
      { block, lengthBytes: 4096, checksum: 0xdead_beef },
      { block: largest, lengthBytes: 0, checksum: 0 },
      { block, lengthBytes: 4096, checksum: 0xdead_beef, ...access },
      { block, lengthBytes: 4096, checksum: 0xdead_beef, pipeline: 'p-1' },
    ],
    replies: [
      { block, lengthBytes: 4096, datanodes: ['dn-1'] },
      { block: largest, lengthBytes: 0, datanodes: [] },
      { block, lengthBytes: 4096, datanodes: ['dn-1'], checksum: 0xdead_beef },
      {
        block,
        lengthBytes: 4096,
        datanodes: ['dn-1', 'dn-2'],
        checksum: 0,
        proofs: [Uint8Array.of(4, 5), Uint8Array.of()],
      },
    ],
  },
  'hdds.openWriter.1': { requests: [{ block }, { block: largest }, { block, ...access }], replies: [undefined] },
  'hdds.read.1': {
    requests: [
      { block, range: { offset: 0, length: 0 } },
      { block: largest, range: { offset: 5 * 2 ** 30, length: 2 ** 20 } },
      { block, range: { offset: 0, length: 0 }, token: access.token },
    ],
    replies: [undefined],
  },
  'hdds.readSmall.1': {
    requests: [
      { block, range: { offset: 1, length: 65_536 } },
      { block, range: { offset: 1, length: 65_536 }, token: access.token },
    ],
    replies: [undefined],
  },
  'hdds.createContainer.1': { requests: [300, Number.MAX_SAFE_INTEGER], replies: [undefined] },
  'hdds.closeContainer.1': { requests: [1], replies: [undefined] },
  'hdds.deleteContainer.1': { requests: [1], replies: [undefined] },
  'hdds.deleteBlocks.1': {
    requests: [
      [],
      [
        { container: 1, firstLocal: 1, count: 2 },
        { container: 300, firstLocal: 0xffff_ffff, count: 1 },
      ],
    ],
    replies: [undefined],
  },
  'hdds.summarizeReplica.1': {
    requests: [300],
    replies: [
      { seal: 'none', damaged: false, generation: 1, liveBytes: 0, blockCount: 0 },
      {
        seal: 'alone',
        damaged: true,
        generation: 7,
        liveBytes: 5 * 2 ** 30,
        blockCount: 3,
        contentHash: '0123456789abcdef',
      },
      { seal: 'agreed', damaged: false, generation: 1, liveBytes: 64, blockCount: 1, contentHash: 'ffffffffffffffff' },
      { seal: 'origin', damaged: false, generation: 1, liveBytes: 64, blockCount: 1, contentHash: 'ffffffffffffffff' },
    ],
  },
  'hdds.readBlocks.1': { requests: [[{ container: 300, firstLocal: 1, count: 256 }]], replies: [undefined] },
  'hdds.compact.1': { requests: [undefined], replies: [0, 2 ** 40] },
  'hdds.createPipeline.1': {
    requests: [
      {
        pipeline: 'p-1',
        members: [
          { datanode: 'dn-1', address: 'one:9861' },
          { datanode: 'dn-2', address: 'two:9861' },
        ],
      },
      { pipeline: 'p-2', members: [] },
    ],
    replies: [undefined],
  },
  'hdds.closePipeline.1': { requests: ['p-1'], replies: [undefined] },
  'hdds.agreeBlock.1': {
    requests: [
      { agreed: { pipeline: 'p-1', block, lengthBytes: 2 ** 30, checksum: 7, holders: ['dn-1', 'dn-2'] } },
      {
        agreed: { pipeline: 'p-1', block: largest, lengthBytes: 0, checksum: 0xffff_ffff, holders: [] },
        token: access.token,
      },
    ],
    replies: [undefined],
  },
}

const finding = { kind: 'damaged-chunk', container: 3, path: '/d/3.cnt', fileOffset: 640, message: 'rotten' } as const

export const itemSamples = {
  blockInfo: {
    codec: blockInfo,
    items: [
      { block, lengthBytes: 4096 },
      { block, lengthBytes: 4096, checksum: 0xdead_beef },
    ],
  },
  containerReport: {
    codec: containerReport,
    items: (['OPEN', 'CLOSED', 'UNHEALTHY', 'QUASI_CLOSED', 'ORIGIN'] as const).map((state, i) => ({
      id: i + 1,
      state: state === 'ORIGIN' ? ('QUASI_CLOSED' as const) : state,
      generation: 2,
      usedBytes: 5 * 2 ** 30,
      liveBytes: 1000,
      blockCount: 7,
      ...(state === 'OPEN' && { pipeline: 'p-1' }),
      ...(state === 'ORIGIN' && { isOrigin: true as const }),
      ...(state === 'UNHEALTHY' && { open: true }),
      ...(state === 'QUASI_CLOSED' && { contentHash: '00ff00ff00ff00ff' }),
    })),
  },
  diskReport: {
    codec: diskReport,
    items: (['healthy', 'failed', 'full'] as const).map((state) => ({
      path: '/disks/ä',
      uuid: 'u-1',
      state,
      totalBytes: 2 ** 44,
      availableBytes: 0,
      usedBytes: 12,
      ...(state === 'failed' && { problem: 'it answers with I/O errors' }),
    })),
  },
  pipelineReport: {
    codec: pipelineReport,
    items: [
      { id: 'p-1', state: 'open', leader: 'dn-1', term: 3 },
      { id: 'p-2', state: 'failed', leader: undefined, term: 0 },
    ],
  },
  scrubFinding: {
    codec: scrubFinding,
    items: [
      finding,
      { ...finding, kind: 'unreadable', local: 9 },
      { ...finding, kind: 'index-mismatch', local: 1 },
      { ...finding, kind: 'quarantined' },
    ],
  },
} as const

export const listingRequests: { readonly [Name in ListingName]: RequestOf<Name> } = {
  'hdds.listBlocks.2': 300,
  'hdds.listReplica.1': { container: 300, after: 70_000, limit: 4096 },
  'hdds.containers.3': undefined,
  'hdds.disks.2': undefined,
  'hdds.scrubContainer.1': 300,
  'hdds.findings.1': undefined,
  'hdds.pipelines.1': undefined,
}
