import { blockInfo, containerReport, diskReport, scrubFinding } from '../../src/rpc/records.ts'
import type { ExchangeName, ListingName, ReplyOf, RequestOf } from '../../src/rpc/methods.ts'

const block = { container: 300, local: 70_000 }
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
    ],
    replies: [
      { block, lengthBytes: 4096, datanodes: ['dn-1'] },
      { block: largest, lengthBytes: 0, datanodes: [] },
    ],
  },
  'hdds.openWriter.1': { requests: [block, largest], replies: [undefined] },
  'hdds.read.1': {
    requests: [
      { block, range: { offset: 0, length: 0 } },
      { block: largest, range: { offset: 5 * 2 ** 30, length: 2 ** 20 } },
    ],
    replies: [undefined],
  },
  'hdds.readSmall.1': { requests: [{ block, range: { offset: 1, length: 65_536 } }], replies: [undefined] },
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
  'hdds.compact.1': { requests: [undefined], replies: [0, 2 ** 40] },
}

const finding = { kind: 'damaged-chunk', container: 3, path: '/d/3.cnt', fileOffset: 640, message: 'rotten' } as const

export const itemSamples = {
  blockInfo: { codec: blockInfo, items: [{ block, lengthBytes: 4096 }] },
  containerReport: {
    codec: containerReport,
    items: (['OPEN', 'CLOSED', 'UNHEALTHY'] as const).map((state, i) => ({
      id: i + 1,
      state,
      generation: 2,
      usedBytes: 5 * 2 ** 30,
      liveBytes: 1000,
      blockCount: 7,
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
    })),
  },
  scrubFinding: {
    codec: scrubFinding,
    items: [finding, { ...finding, kind: 'unreadable', local: 9 }, { ...finding, kind: 'index-mismatch', local: 1 }],
  },
} as const

export const listingRequests: { readonly [Name in ListingName]: RequestOf<Name> } = {
  'hdds.listBlocks.1': 300,
  'hdds.containers.1': undefined,
  'hdds.disks.1': undefined,
  'hdds.scrubContainer.1': 300,
  'hdds.findings.1': undefined,
}
