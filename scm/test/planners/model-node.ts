/** A datanode as SCM sees it: replicas, tasks that take time and may fail, a power switch. */

import type {
  ContainerId,
  ContainerReport,
  DatanodeCommand,
  DatanodeId,
  DiskReport,
  EcLayout,
  EcPolicy,
  EncodingReport,
  TaskReport,
} from '../../src/api/api.ts'
import { ecShape } from '../../src/core/planners/container-facts.ts'

export interface ModelReplica {
  readonly bytes: number
  readonly state: ContainerReport['state']
  /** Grows with each deletion of blocks; the content hash says it. */
  readonly version: number
  /** Of a shard: the blocks of its parent that it was made with, all of one size. */
  readonly holds?: ReadonlySet<number> | undefined
}

/** Local ids of the blocks of a container before it is encoded. */
export const modelBlocks: ReadonlySet<number> = new Set(Array.from({ length: 10 }, (_, n) => n + 1))

interface Running {
  readonly command: Extract<DatanodeCommand, { readonly task: string }>
  doneBytes: number
  readonly totalBytes: number
}

/** What a node needs to know of the others. */
export interface ModelNeighbours {
  node(id: DatanodeId): ModelNode | undefined
  /** Before a replica is deleted. */
  deleting(node: ModelNode, container: ContainerId): void
  fails(): boolean
  /** What became of an encoding out of older shards. */
  encodedAnew(kind: EncodingReport['kind']): void
}

const bytesPerStep = 200 * 1024 ** 2

export class ModelNode {
  readonly id: DatanodeId
  readonly rack: string
  readonly capacityBytes: number
  readonly replicas = new Map<ContainerId, ModelReplica>()
  isUp = true
  private readonly neighbours: ModelNeighbours
  private readonly running = new Map<string, Running>()
  private ended: TaskReport[] = []

  constructor(
    id: DatanodeId,
    options: { readonly rack: string; readonly capacityBytes: number },
    all: ModelNeighbours,
  ) {
    this.id = id
    this.rack = options.rack
    this.capacityBytes = options.capacityBytes
    this.neighbours = all
  }

  get usedBytes(): number {
    let bytes = 0
    for (const replica of this.replicas.values()) bytes += replica.bytes
    return bytes
  }

  disks(): readonly DiskReport[] {
    const availableBytes = Math.max(0, this.capacityBytes - this.usedBytes)
    const state = availableBytes === 0 ? 'full' : 'healthy'
    return [
      { path: '/d', uuid: this.id, state, totalBytes: this.capacityBytes, availableBytes, usedBytes: this.usedBytes },
    ]
  }

  reports(): readonly ContainerReport[] {
    return [...this.replicas].map(([id, { bytes, state, version }]) => ({
      id,
      state,
      generation: 1,
      usedBytes: bytes,
      liveBytes: bytes,
      blockCount: 10,
      contentHash: `v${version}`,
    }))
  }

  tasks(): readonly TaskReport[] {
    const under = [...this.running].map(([task, { doneBytes, totalBytes }]): TaskReport => {
      return { task, state: 'running', doneBytes, totalBytes }
    })
    return [...under, ...this.ended]
  }

  /** A restart: what was under way is gone. */
  powerOff(): void {
    this.isUp = false
    this.running.clear()
    this.ended = []
  }

  take(commands: readonly DatanodeCommand[]): void {
    // What was told in the heartbeat that these answer needs not be told again.
    this.ended = []
    for (const command of commands) this.obey(command)
  }

  step(): void {
    if (!this.isUp) return
    for (const [task, running] of this.running) {
      running.doneBytes = Math.min(running.totalBytes, running.doneBytes + bytesPerStep)
      if (running.doneBytes < running.totalBytes) continue
      this.running.delete(task)
      const found = this.neighbours.fails() ? 'bad luck' : this.finish(running.command)
      const isAnew = running.command.kind === 'encode-container' && running.command.from !== undefined
      if (isAnew && typeof found === 'object') this.neighbours.encodedAnew(found.kind)
      const { doneBytes, totalBytes } = running
      const done = { state: 'done' as const, ...(typeof found === 'object' && { encoding: found }) }
      const outcome = typeof found === 'string' ? { state: 'failed' as const, message: found } : done
      this.ended.push({ task, doneBytes, totalBytes, ...outcome })
    }
  }

  private obey(command: DatanodeCommand): void {
    switch (command.kind) {
      case 'delete-container':
        if (!this.replicas.has(command.container)) return
        this.neighbours.deleting(this, command.container)
        this.replicas.delete(command.container)
        return
      case 'copy-container':
      case 'encode-container':
      case 'reconstruct-shards':
      case 'reconcile-container':
      case 'salvage-container':
        if (!this.running.has(command.task)) {
          this.running.set(command.task, { command, doneBytes: 0, totalBytes: this.sizeOf(command) })
        }
        return
      case 'create-container':
      case 'close-container':
      case 'create-pipeline':
      case 'close-pipeline':
      case 'delete-blocks':
      case 'full-report':
      case 'register':
        // Of open containers, which this model has none of; and it always reports everything.
        return
    }
  }

  private sizeOf(command: Running['command']): number {
    if (command.kind !== 'copy-container') return 4 * bytesPerStep
    return this.neighbours.node(command.sources[0]?.datanode ?? '')?.replicas.get(command.container)?.bytes ?? 1
  }

  /** Why it failed; or what became of an encoding. */
  private finish(command: Running['command']): string | EncodingReport | undefined {
    switch (command.kind) {
      case 'copy-container':
        return this.copy(command.container, command.sources)
      case 'reconcile-container':
      case 'salvage-container':
        return this.reconcile(command.container, command.sources)
      case 'encode-container':
        return this.encode(command)
      case 'reconstruct-shards':
        return this.reconstruct(command)
    }
  }

  private readable(id: DatanodeId, container: ContainerId): ModelReplica | undefined {
    const node = this.neighbours.node(id)
    return node?.isUp === true ? node.replicas.get(container) : undefined
  }

  private copy(container: ContainerId, sources: readonly { readonly datanode: DatanodeId }[]): string | undefined {
    const found = sources.map(({ datanode }) => this.readable(datanode, container)).filter((each) => each !== undefined)
    const whole = found.find(({ state }) => state === 'CLOSED')
    if (whole === undefined && found.length < 2) return 'no source is whole'
    const bytes = found[0]?.bytes ?? 0
    if (bytes > this.capacityBytes - this.usedBytes) return 'no space is left'
    const { version = 0, holds } = whole ?? found[0] ?? {}
    this.replicas.set(container, { bytes, state: 'CLOSED', version, holds })
    return undefined
  }

  private reconcile(container: ContainerId, sources: readonly { readonly datanode: DatanodeId }[]): string | undefined {
    const own = this.replicas.get(container)
    if (own === undefined) return 'it is not here'
    const others = sources
      .map(({ datanode }) => this.readable(datanode, container))
      .filter((each) => each !== undefined)
    const version = Math.max(own.version, ...others.map((other) => other.version))
    this.replicas.set(container, { ...own, state: 'CLOSED', version })
    return undefined
  }

  private encode(command: Extract<DatanodeCommand, { kind: 'encode-container' }>): string | EncodingReport {
    const source = command.from === undefined ? this.ownSource(command) : this.shardSource(command.from)
    if (typeof source === 'string') return source
    const leftOut = (command.leaveOut ?? []).flatMap(({ firstLocal, count }) =>
      Array.from({ length: count }, (_, n) => firstLocal + n),
    )
    const holds = new Set([...source.holds].filter((local) => !leftOut.includes(local)))
    if (command.leaveOut !== undefined && holds.size === 0) return { kind: 'nothing-left', blocks: 0 }
    const share = 1 - holds.size / source.holds.size
    if (share < (command.worthShare ?? 0)) return { kind: 'declined', blocks: holds.size }
    const targets = command.shards.map(({ at }) => this.neighbours.node(at.datanode))
    if (targets.some((target) => target?.isUp !== true)) return 'a target is away'
    const bytes = Math.ceil(source.bytes * (1 - share))
    for (const [index, { container }] of command.shards.entries()) {
      targets[index]?.replicas.set(container, { bytes, state: 'CLOSED', version: 0, holds })
    }
    return { kind: 'encoded', blocks: holds.size }
  }

  /** `bytes`: of a shard with all of it. */
  private ownSource({
    container,
    policy,
  }: {
    readonly container: ContainerId
    readonly policy: EcPolicy
  }): Source | string {
    const own = this.replicas.get(container)
    if (own?.state !== 'CLOSED') return 'it is not closed here'
    return { bytes: Math.ceil(own.bytes / ecShape[policy].data), holds: modelBlocks }
  }

  private shardSource({ policy, shards }: EcLayout): Source | string {
    const whole = shards.flatMap(({ container, replicas }) => {
      const there = replicas.map(({ datanode }) => this.readable(datanode, container))
      return there.find((replica) => replica?.state === 'CLOSED') ?? []
    })
    const [first] = whole
    if (first?.holds === undefined || whole.length < ecShape[policy].data) return 'too few shards are left'
    return { bytes: first.bytes, holds: first.holds }
  }

  private reconstruct(command: Extract<DatanodeCommand, { kind: 'reconstruct-shards' }>): string | undefined {
    const { layout, wanted } = command
    const others = layout.shards.filter((shard, index) => {
      const there = shard.replicas.map(({ datanode }) => this.readable(datanode, shard.container))
      return !wanted.includes(index) && there.some((replica) => replica?.state === 'CLOSED')
    })
    if (others.length < ecShape[layout.policy].data) return 'too few shards are left'
    const source = this.shardSource({ policy: layout.policy, shards: others })
    if (typeof source === 'string') return source
    for (const index of wanted) {
      const shard = layout.shards[index]?.container
      if (shard !== undefined) this.replicas.set(shard, { ...source, state: 'CLOSED', version: 0 })
    }
    return undefined
  }
}

interface Source {
  readonly bytes: number
  readonly holds: ReadonlySet<number>
}
