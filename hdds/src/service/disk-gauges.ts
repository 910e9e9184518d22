/** What is shown of each disk of a datanode. */

import type { Metrics } from '@o3/common/metrics'
import type { DataDisk } from '../storage/data-disk.ts'

const healthyHelp = '1 while a disk takes writes; 0 also for one that is left out.'

export type GaugedDisk = Pick<DataDisk, 'path' | 'containers' | 'state' | 'report'>

export function gaugeDisk(metrics: Metrics, disk: GaugedDisk): void {
  const labels = { disk: disk.path }
  const gauge = (name: string, help: string, read: () => number): void => {
    metrics.sampled({ name: `o3_hdds_disk_${name}`, help, kind: 'gauge', labels, read })
  }
  gauge('available_bytes', 'Bytes that may still be written to a disk.', () => disk.report().availableBytes)
  gauge('used_bytes', 'Bytes in the container files of a disk.', () => disk.report().usedBytes)
  gauge('containers', 'Containers on a disk.', () => disk.containers.size)
  gauge('unhealthy_containers', 'Containers on a disk of which some bytes do not verify.', () => unhealthyOn(disk))
  gauge('healthy', healthyHelp, () => (disk.state === 'healthy' ? 1 : 0))
}

/** A disk that does not take part. */
export function gaugeAbsence(metrics: Metrics, path: string): void {
  const labels = { disk: path }
  metrics.sampled({ name: 'o3_hdds_disk_healthy', help: healthyHelp, kind: 'gauge', labels, read: () => 0 })
}

function unhealthyOn({ containers }: GaugedDisk): number {
  let count = 0
  for (const { isDamaged } of containers.values()) if (isDamaged) count++
  return count
}
