import type { Counter, Histogram, Metrics } from '@o3/common/metrics'

/** What the disks of a datanode count. Instruments are looked up once: an `add` costs some nanoseconds. */
export interface StorageMetrics {
  readonly writtenBytes: Counter
  readonly writtenBlocks: Counter
  readonly readBytes: Counter
  readonly deletedBlocks: Counter
  readonly batches: Counter
  readonly syncSeconds: Histogram
  readonly compactedBytes: Counter
  readonly scrubbedBytes: Counter
  readonly damage: Counter
}

export function storageMetrics(metrics: Metrics): StorageMetrics {
  const counter = (name: string, help: string): Counter => metrics.counter({ name: `o3_hdds_${name}_total`, help })
  return {
    writtenBytes: counter('written_bytes', 'Bytes of blocks that were made durable.'),
    writtenBlocks: counter('written_blocks', 'Blocks that were made durable.'),
    readBytes: counter('read_bytes', 'Bytes of blocks that were read and verified.'),
    deletedBlocks: counter('deleted_blocks', 'Blocks whose deletion was made durable.'),
    batches: counter('write_batches', 'Writes to container files; many records share one.'),
    syncSeconds: metrics.histogram({ name: 'o3_hdds_sync_seconds', help: 'Duration of fdatasync of container files.' }),
    compactedBytes: counter('compacted_bytes', 'Bytes that compaction gave back.'),
    scrubbedBytes: counter('scrubbed_bytes', 'Bytes that the scrubber has verified.'),
    damage: counter('damage_found', 'Places that did not verify, found by readers, the scrubber or a start.'),
  }
}
