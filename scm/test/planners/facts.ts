/** Short words for the facts that planners decide about, so that tables of cases can be read. */

import type { DiskReport, NodeHealth, NodeOperationalState } from '../../src/api/api.ts'
import type { ContainerFacts, ReplicaFacts } from '../../src/core/planners/container-facts.ts'
import type { RepairAction } from '../../src/core/planners/replication-plan.ts'
import { topologyOf } from '../../src/core/planners/topology.ts'
import type { NodeFacts, Topology } from '../../src/core/planners/topology.ts'

export const GiB = 1024 ** 3

export function disk(overrides: Partial<DiskReport> = {}): DiskReport {
  const totalBytes = overrides.totalBytes ?? 100 * GiB
  const availableBytes = overrides.availableBytes ?? totalBytes / 2
  return {
    path: '/d',
    uuid: 'u',
    state: 'healthy',
    totalBytes,
    availableBytes,
    usedBytes: totalBytes - availableBytes,
    ...overrides,
  }
}

export function node(id: string, overrides: Partial<NodeFacts> = {}): NodeFacts {
  return {
    id,
    rack: '/default',
    operational: 'IN_SERVICE',
    health: 'HEALTHY',
    disks: [disk()],
    reservedBytes: 0,
    incoming: 0,
    outgoing: 0,
    ...overrides,
  }
}

const healths: Readonly<Record<string, NodeHealth>> = { '?': 'STALE', '+': 'DEAD' }
const states: Readonly<Record<string, NodeOperationalState>> = {
  d: 'DECOMMISSIONING',
  D: 'DECOMMISSIONED',
  m: 'ENTERING_MAINTENANCE',
  M: 'IN_MAINTENANCE',
}

/**
 * `a1 a2? b1+ b2d c1` : datanodes in racks named by their first letter; behind the name `?` suspected, `+` dead, `d`
 * decommissioning, `D` decommissioned, `m` entering maintenance, `M` in maintenance, `!` full.
 */
export function cluster(text: string): Topology {
  return topologyOf(
    text.split(/\s+/).flatMap((word) => {
      const found = /^([a-z]\d+)([?+dDmM!]*)$/.exec(word)
      if (found === null) throw new Error(`not a datanode: ${word}`)
      const [, id = '', marks = ''] = found
      const health =
        marks
          .split('')
          .map((mark) => healths[mark])
          .find((each) => each !== undefined) ?? 'HEALTHY'
      const operational =
        marks
          .split('')
          .map((mark) => states[mark])
          .find((each) => each !== undefined) ?? 'IN_SERVICE'
      const disks = [disk(marks.includes('!') ? { availableBytes: 0, state: 'full' } : {})]
      return [node(id, { rack: `/${id.charAt(0)}`, health, operational, disks })]
    }),
  )
}

const replicaStates: Readonly<Record<string, ReplicaFacts['state']>> = {
  '!': 'UNHEALTHY',
  q: 'QUASI_CLOSED',
  v: 'QUASI_CLOSED',
  o: 'OPEN',
}

/** `a1 b1! c1q c1v d1o e1#2`: closed, damaged, sealed alone, as an origin that is vouched for, open; with a content hash behind `#`; a stray with `~`. */
export function replicas(text: string): readonly ReplicaFacts[] {
  return text.split(/\s+/).flatMap((word) => {
    if (word === '') return []
    const found = /^([a-z]\d+)([!qvo]?)(?:#(\w+))?(~?)$/.exec(word)
    if (found === null) throw new Error(`not a replica: ${word}`)
    const [, datanode = '', mark = '', contentHash, stray] = found
    const state = replicaStates[mark] ?? 'CLOSED'
    return [{ datanode, state, contentHash, isOrigin: mark === 'v', stray: stray === '~' }]
  })
}

export function container(text: string, overrides: Partial<ContainerFacts> = {}): ContainerFacts {
  return {
    id: 7,
    state: 'CLOSED',
    replication: 'RATIS/THREE',
    replicas: replicas(text),
    bytes: GiB,
    origins: [],
    pendingDeletions: false,
    arriving: [],
    leaving: [],
    absent: [],
    ...overrides,
  }
}

/** `copy a1,b1>d1`, `delete c1`, `reconcile c1<a1,b1`, `reconstruct 2>e1`, in the order of the plan. */
export function wordsOf(actions: readonly RepairAction[]): string {
  return actions.map(wordOf).join('; ')
}

function wordOf(action: RepairAction): string {
  switch (action.kind) {
    case 'copy':
      return `copy ${action.sources.join(',')}>${action.target}`
    case 'delete':
      return `delete ${action.datanode}`
    case 'reconcile':
      return `reconcile ${action.datanode}<${action.sources.join(',')}`
    case 'reconstruct':
      return `reconstruct ${action.index}>${action.target}`
  }
}
