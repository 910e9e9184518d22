import type { DatanodeId, DatanodeInfo, PipelineInfo, ReplicationConfig } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { hasPlaces } from '../../src/roles/places.ts'

const leader = 'dn1' as DatanodeId
const alive = [{ health: 'HEALTHY' }] as const
const dead = [{ health: 'DEAD' }] as const
type Pipeline = Pick<PipelineInfo, 'state' | 'leader'>
type Node = Pick<DatanodeInfo, 'health'>

test.each<[ReplicationConfig, readonly Node[], readonly Pipeline[], boolean]>([
  ['RATIS/ONE', [], [], false],
  ['RATIS/ONE', dead, [], false],
  ['RATIS/ONE', [...dead, ...alive], [], true],
  ['RATIS/THREE', alive, [], false],
  ['RATIS/THREE', alive, [{ state: 'ALLOCATED', leader: undefined }], false],
  ['RATIS/THREE', alive, [{ state: 'OPEN', leader: undefined }], false],
  ['RATIS/THREE', alive, [{ state: 'CLOSED', leader }], false],
  [
    'RATIS/THREE',
    alive,
    [
      { state: 'CLOSED', leader },
      { state: 'OPEN', leader },
    ],
    true,
  ],
  ['EC/rs-6-3-1024k', alive, [{ state: 'OPEN', leader }], true],
])('a gateway of %s finds a place among %j and %j: %s', async (replication, nodes, pipelines, expected) => {
  const scm = { listNodes: () => Promise.resolve(nodes), listPipelines: () => Promise.resolve(pipelines) }
  expect(await hasPlaces(scm, replication)).toBe(expected)
})
