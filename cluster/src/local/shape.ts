/** How many processes of each role a cluster has. */

import { StoreError } from '@o3/common/errors'
import type { ReplicationConfig } from '@o3/scm/api'
import { membersOf } from '../cluster-file/cluster-file.ts'
import type { Cluster, Role } from '../cluster-file/cluster-file.ts'

export type Shape = Readonly<Record<Role, number>>

/** What a command line asks for. */
export interface WantedShape extends Partial<Shape> {
  /** Of the first gateway; 0 for any. */
  readonly s3Port?: number
  readonly racks?: number
  readonly replication?: ReplicationConfig
}

export const defaultShape: Shape = { om: 1, scm: 1, datanode: 1, gateway: 1 }

/** As each count is asked for on the command line. */
export const shapeFlags: Readonly<Record<Role, string>> = {
  om: 'om',
  scm: 'scm',
  datanode: 'datanodes',
  gateway: 'gateways',
}

/** Of one role on one machine: beyond it somebody has mistyped. */
export const maxProcesses = 100

/** `InvalidArgument` when a cluster that exists has not what is asked for: no start makes or loses members. */
export function checkShape(cluster: Cluster, wanted: WantedShape, path: string): void {
  for (const role of Object.keys(shapeFlags) as Role[]) {
    const there = membersOf(cluster, role).length
    const asked = wanted[role]
    if (asked !== undefined && asked !== there) {
      throw new StoreError(
        'InvalidArgument',
        `${path} has ${there} ${role}, not ${asked}: start it without --${shapeFlags[role]}`,
      )
    }
  }
  const racks = new Set(cluster.datanodes.map(({ rack = '/default' }) => rack)).size
  if (wanted.racks !== undefined && wanted.racks !== racks) {
    throw new StoreError('InvalidArgument', `the datanodes of ${path} stand in ${racks} racks, not ${wanted.racks}`)
  }
  const { replication = 'RATIS/ONE' } = cluster
  if (wanted.replication !== undefined && wanted.replication !== replication) {
    throw new StoreError(
      'InvalidArgument',
      `${path} replicates by ${replication}, not ${wanted.replication}: start it without --replication, or change the file`,
    )
  }
  const [first] = cluster.gateways
  if (wanted.s3Port === undefined || wanted.s3Port === 0 || wanted.s3Port === first?.s3.port) return
  throw new StoreError(
    'InvalidArgument',
    `${path} serves S3 on port ${first?.s3.port}, not ${wanted.s3Port}: start it without --s3-port, or change the file`,
  )
}
