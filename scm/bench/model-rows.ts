/** Containers and their datanodes, as many as are asked for: rows, and what the datanodes say of them. */

import type { Env } from '@o3/common/env'
import { openLevelKv } from '@o3/common/kv/level'
import type { ReplicatedStore } from '@o3/ratis/api'
import { openReplicatedStore } from '@o3/ratis/store'
import type { ContainerId, ContainerReport, Heartbeat, RegisterRequest } from '../src/api/api.ts'
import { scmRules } from '../src/module.ts'
import type { ScmCommand, ScmReply } from '../src/module.ts'

type Store = ReplicatedStore<ScmCommand, ScmReply>

export interface ModelShape {
  readonly containers: number
  /** A multiple of three: as many in each of three racks. */
  readonly datanodes: number
}

export interface ModelNode {
  readonly id: string
  readonly rack: string
}

const racks = 3
const GiB = 1024 ** 3
/** Commands under way: each group commit takes what has come. */
const inFlight = 512

export function openBenchStore(env: Env, directory: string): Promise<Store> {
  return openReplicatedStore({
    env,
    directory: `${directory}/scm`,
    rules: scmRules,
    kv: {
      async open(name) {
        await env.disk.makeDirectory(`${directory}/scm/${name}`)
        return openLevelKv(`${directory}/scm/${name}`, { cacheBytes: 8 * 1024 ** 2 })
      },
      remove: () => Promise.resolve(),
    },
    cacheBytes: 16 * 1024 ** 2,
    log: { segmentBytes: 8 * 1024 ** 2 },
    checkpoint: { everyLogBytes: 16 * 1024 ** 2 },
  })
}

export function modelNodes({ datanodes }: ModelShape): readonly ModelNode[] {
  return Array.from({ length: datanodes }, (_, n) => ({ id: `dn${n}`, rack: `/rack${n % racks}` }))
}

/** One in each rack; over many containers every datanode meets most of the others. */
function placesOf(id: ContainerId, { datanodes }: ModelShape): readonly number[] {
  const perRack = datanodes / racks
  const [first, second] = [id % perRack, Math.floor(id / perRack) % perRack]
  return [first * racks, second * racks + 1, ((first + second) % perRack) * racks + 2]
}

export function registrationOf({ id, rack }: ModelNode, shape: ModelShape): RegisterRequest {
  const { disks } = heartbeatOf({ id, rack })
  const containers: ContainerReport[] = []
  for (let container = 1; container <= shape.containers; container++) {
    if (placesOf(container, shape).some((n) => id === `dn${n}`)) containers.push(reportOf(container))
  }
  return { id, address: `${id}:9001`, rack, disks, containers }
}

function reportOf(id: ContainerId): ContainerReport {
  const usedBytes = GiB - (id % 1000) * 1000
  const contentHash = (id * 0x9e37_79b9_7f4a).toString(16).padStart(16, '0').slice(-16)
  return { id, state: 'CLOSED', generation: 1, usedBytes, liveBytes: usedBytes, blockCount: 200, contentHash }
}

/** Nothing is new. */
export function heartbeatOf({ id }: ModelNode): Heartbeat {
  const disk = { path: '/disk', uuid: id, state: 'healthy', totalBytes: 16_000 * GiB } as const
  const disks = [{ ...disk, availableBytes: 4_000 * GiB, usedBytes: 12_000 * GiB }]
  return { id, full: false, disks, containers: [], deletedTransactions: [] }
}

/** Through the commands that make them in a cluster. Closes the store. */
export async function fillRows(store: Store, shape: ModelShape): Promise<void> {
  const nodes = modelNodes(shape)
  for (const { id, rack } of nodes) await store.execute({ kind: 'register-node', id, address: `${id}:9001`, rack })
  const pipelines = new Map<string, string>()
  for (let id = 1; id <= Math.min(shape.containers, nodes.length ** 2); id++) {
    const members = placesOf(id, shape).map((n) => `dn${n}`)
    if (pipelines.has(members.join())) continue
    const reply = await store.execute({ kind: 'create-pipeline', replicas: 'THREE', members })
    if (reply.kind !== 'pipeline') throw new Error('no pipeline was made')
    await store.execute({ kind: 'transition-pipeline', pipeline: reply.pipeline, to: 'OPEN' })
    pipelines.set(members.join(), reply.pipeline)
  }
  // Ids are given in the order in which they are asked for.
  for (let first = 1; first <= shape.containers; first += inFlight) {
    const ids = Array.from({ length: Math.min(inFlight, shape.containers - first + 1) }, (_, n) => first + n)
    await Promise.all(ids.map((id) => create(store, pipelines, placesOf(id, shape))))
    await Promise.all(ids.map((container) => store.execute({ kind: 'transition-container', container, to: 'CLOSING' })))
    await Promise.all(ids.map((container) => store.execute({ kind: 'transition-container', container, to: 'CLOSED' })))
  }
  for (const pipeline of pipelines.values()) {
    await store.execute({ kind: 'transition-pipeline', pipeline, to: 'CLOSED' })
    await store.execute({ kind: 'transition-pipeline', pipeline, to: 'GONE' })
  }
  await store.close()
}

function create(store: Store, pipelines: ReadonlyMap<string, string>, places: readonly number[]): Promise<ScmReply> {
  const datanodes = places.map((n) => `dn${n}`)
  const pipeline = pipelines.get(datanodes.join())
  return store.execute({ kind: 'create-container', replication: 'RATIS/THREE', pipeline, datanodes })
}
