import { assert } from '@o3/common/errors'
import type { ContainerId, DatanodeCommand, DatanodeId, EcLayout, ReplicaLocation } from '../../api/api.ts'
import type { ClusterContainer, ClusterView } from '../../core/cluster-view.ts'
import type { Move } from '../../core/planners/balance.ts'
import type { EncodingPlan } from '../../core/planners/encoding.ts'
import type { RepairTask } from '../../core/planners/repair-tasks.ts'
import type { RepairAction } from '../../core/planners/replication-plan.ts'
import { bytesOf } from '../../core/planners/view-facts.ts'
import type { Judged } from './judgements.ts'

/** Out of older shards. */
export interface AnewEncoding {
  /** What it is told beside where to. */
  readonly fields: Required<
    Pick<Extract<DatanodeCommand, { kind: 'encode-container' }>, 'from' | 'leaveOut' | 'worthShare'>
  >
  /** Recorded by then, whether it is told to leave them out or not. */
  readonly deletedBlocks: number
}

type Making = Extract<RepairAction, { kind: 'copy' | 'reconstruct' }>

/** Makes tasks of plans: names them, and puts the command together that a datanode is given. */
export class TaskCommands {
  private readonly term: number
  private last = 0

  constructor(term: number) {
    this.term = term
  }

  forRepair(action: Making, judged: Judged, container: ClusterContainer, view: ClusterView): RepairTask {
    const { unit } = judged
    if (action.kind === 'copy') return this.copy({ ...action, unit, movedFrom: undefined }, view)
    const task = this.name('reconstruct', container.id)
    assert(judged.kind === 'group', 'only shards are reconstructed')
    const command = {
      kind: 'reconstruct-shards',
      task,
      container: judged.unit,
      layout: layoutOf(judged, view),
      wanted: [action.index],
    } as const
    return {
      id: task,
      kind: 'reconstruct',
      unit,
      container: container.id,
      at: action.target,
      sources: action.sources,
      targets: [action.target],
      bytes: action.bytes,
      command,
    }
  }

  forMove(move: Move, unit: ContainerId, container: ClusterContainer, view: ClusterView): RepairTask {
    const { from, to, bytes } = move
    return this.copy({ container: container.id, unit, target: to, sources: [from], bytes, movedFrom: from }, view)
  }

  forEncoding(
    chosen: {
      readonly unit: ContainerId
      readonly plan: Extract<EncodingPlan, { kind: 'encode' }>
      readonly shards: readonly ContainerId[]
      readonly anew?: AnewEncoding | undefined
    },
    view: ClusterView,
  ): RepairTask {
    const { unit, plan, shards, anew } = chosen
    const task = this.name('encode', unit)
    const made = shards.map((container, index) => ({ container, at: locationOf(plan.targets[index] ?? '', view) }))
    return {
      id: task,
      kind: 'encode',
      unit,
      container: unit,
      at: plan.encoder,
      sources: plan.sources,
      targets: plan.targets,
      bytes: plan.shardBytes,
      command: { kind: 'encode-container', task, container: unit, policy: plan.policy, shards: made, ...anew?.fields },
      deletedBlocks: anew?.deletedBlocks,
    }
  }

  /** With the name that its datanode gives it, if it speaks of one for this container. */
  inherited(
    found: { readonly unit: ContainerId; readonly container: ClusterContainer; readonly target: DatanodeId },
    view: ClusterView,
  ): RepairTask {
    const { unit, container, target } = found
    const spoken = [...(view.nodes.get(target)?.live?.tasks.values() ?? [])].find(
      ({ task, state }) => state === 'running' && containerOf(task) === container.id,
    )
    return {
      id: spoken?.task ?? this.name('inherited', container.id),
      kind: 'copy',
      unit,
      container: container.id,
      at: target,
      sources: [],
      targets: [target],
      bytes: bytesOf(container),
      command: undefined,
    }
  }

  private copy(
    asked: {
      readonly container: ContainerId
      readonly unit: ContainerId
      readonly target: DatanodeId
      readonly sources: readonly DatanodeId[]
      readonly bytes: number
      readonly movedFrom: DatanodeId | undefined
    },
    view: ClusterView,
  ): RepairTask {
    const { container, unit, target, sources, bytes, movedFrom } = asked
    const task = this.name('copy', container)
    const from = sources.map((id) => locationOf(id, view))
    return {
      id: task,
      kind: 'copy',
      unit,
      container,
      at: target,
      sources,
      targets: [target],
      bytes,
      command: { kind: 'copy-container', task, container, sources: from },
      movedFrom,
    }
  }

  /** The container, the term, a number: no two tasks of a cluster have the same. */
  private name(kind: string, container: ContainerId): string {
    this.last += 1
    return `${kind}-${container}-${this.term}-${this.last}`
  }
}

/** Undefined for a name that is none of ours. */
function containerOf(task: string): ContainerId | undefined {
  const digits = /^[a-z]+-([0-9]+)-[0-9]+-[0-9]+$/.exec(task)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export function locationOf(datanode: DatanodeId, view: ClusterView): ReplicaLocation {
  const node = view.nodes.get(datanode)
  const address = node?.live === undefined ? node?.row.address : node.live.address
  return node === undefined ? { datanode, address } : { datanode, address, rack: node.row.rack }
}

export function layoutOf(judged: Extract<Judged, { kind: 'group' }>, view: ClusterView): EcLayout {
  const { facts, found } = judged
  const shards = facts.shards.map(({ container }, index) => {
    const readable = found.shards[index]?.good.readable ?? []
    return { container, replicas: readable.map(({ datanode }) => locationOf(datanode, view)) }
  })
  return { policy: facts.policy, shards }
}
