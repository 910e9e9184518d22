/** A datanode as SCM sees it: replicas, tasks that take time and may fail, a power switch. */

import type {
  ContainerId,
  ContainerReport,
  DatanodeCommand,
  DatanodeId,
  DiskReport,
  TaskReport,
} from '../../src/api/api.ts'
import { ecShape } from '../../src/core/planners/container-facts.ts'

export interface ModelReplica {
  readonly bytes: number
  readonly state: ContainerReport['state']
  /** Grows with each deletion of blocks; the content hash says it. */
  readonly version: number
}

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
      const message = this.neighbours.fails() ? 'bad luck' : this.finish(running.command)
      const { doneBytes, totalBytes } = running
      const outcome = message === undefined ? { state: 'done' as const } : { state: 'failed' as const, message }
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

  private finish(command: Running['command']): string | undefined {
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
    this.replicas.set(container, { bytes, state: 'CLOSED', version: (whole ?? found[0])?.version ?? 0 })
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

  private encode(command: Extract<DatanodeCommand, { kind: 'encode-container' }>): string | undefined {
    const own = this.replicas.get(command.container)
    if (own?.state !== 'CLOSED') return 'it is not closed here'
    const targets = command.shards.map(({ at }) => this.neighbours.node(at.datanode))
    if (targets.some((target) => target?.isUp !== true)) return 'a target is away'
    const bytes = Math.ceil(own.bytes / ecShape[command.policy].data)
    for (const [index, { container }] of command.shards.entries()) {
      targets[index]?.replicas.set(container, { bytes, state: 'CLOSED', version: 0 })
    }
    return undefined
  }

  private reconstruct(command: Extract<DatanodeCommand, { kind: 'reconstruct-shards' }>): string | undefined {
    const { layout, wanted } = command
    const others = layout.shards.filter((shard, index) => {
      const there = shard.replicas.map(({ datanode }) => this.readable(datanode, shard.container))
      return !wanted.includes(index) && there.some((replica) => replica?.state === 'CLOSED')
    })
    if (others.length < ecShape[layout.policy].data) return 'too few shards are left'
    const bytes = Math.max(...others.flatMap((shard) => this.sizesOf(shard.container, shard.replicas)))
    for (const index of wanted) {
      const shard = layout.shards[index]?.container
      if (shard !== undefined) this.replicas.set(shard, { bytes, state: 'CLOSED', version: 0 })
    }
    return undefined
  }

  private sizesOf(container: ContainerId, at: readonly { readonly datanode: DatanodeId }[]): number[] {
    return at.flatMap(({ datanode }) => this.readable(datanode, container)?.bytes ?? [])
  }
}
