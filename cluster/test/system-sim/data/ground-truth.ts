import type { ContainerDetails, ContainerInfo, ContainerReport } from '@o3/scm/api'
import { isStoreError } from '@o3/common/errors'
import type { DataWorld } from './data-world.ts'
import type { DatanodeMachine } from './datanode-machine.ts'
import { mayLoseHolding, mayWipe, type Holding } from './fault-atlas.ts'
import type { Gateway } from './gateway.ts'

interface Flip {
  readonly machine: DatanodeMachine
  readonly container: number
  readonly path: string
  readonly offset: number
  readonly value: number
}

/** What machines really have, whatever anybody believes; and what may still be taken from them. */
export class GroundTruth {
  private readonly world: DataWorld
  private readonly flips: Flip[] = []
  /** What each machine had when it was last up. */
  private readonly lastReports = new Map<string, ReadonlyMap<number, ContainerReport>>()
  /** Containers of which a machine lost what it had; it may have been given all of it again since. */
  private readonly lost = new Map<string, Set<number>>()
  /** Lost something, and are not as many as before. */
  private readonly wounded = new Set<number>()

  constructor(world: DataWorld) {
    this.world = world
  }

  /** Whether this machine's disk may be lost; if so, it counts as lost from now on. */
  async takeDisk(machine: DatanodeMachine, gateway: Gateway): Promise<boolean> {
    const holdings = await this.holdings(gateway)
    if (holdings === undefined) return false
    const touched = holdings.filter((holding) => has(holding, machine.id))
    if (touched.some(({ container }) => this.wounded.has(container)) || !mayWipe(holdings, machine.id)) return false
    const lost = this.lost.get(machine.id) ?? new Set()
    for (const { container } of touched) {
      this.wounded.add(container)
      lost.add(container)
    }
    this.lost.set(machine.id, lost)
    this.lastReports.delete(machine.id)
    return true
  }

  /** Turns one bit of a sealed container file that its machine can do without. Undefined: there is none. */
  async flip(
    machine: DatanodeMachine,
    gateway: Gateway,
    below: (limit: number) => number,
  ): Promise<string | undefined> {
    const holdings = await this.holdings(gateway)
    const { life } = machine
    if (holdings === undefined || life === undefined) return undefined
    const choices = life.datanode.containers().filter(({ state }) => state === 'CLOSED')
    const chosen = choices[below(choices.length)]
    const disk = chosen && life.datanode.dataDisks.find(({ containers }) => containers.has(chosen.id))
    if (chosen === undefined || disk === undefined) return undefined
    const holding = holdings.find((each) => each.container === chosen.id || each.shardIds.includes(chosen.id))
    if (holding === undefined || this.wounded.has(holding.container)) return undefined
    if (!mayLoseHolding(holding, machine.id)) return undefined
    const path = `${disk.path}/containers/${chosen.id}.${chosen.generation}.cnt`
    const bytes = machine.node.disk.durable(path)?.bytes
    if (bytes === undefined || bytes.length === 0) return undefined
    const offset = below(bytes.length)
    const bit = below(8)
    machine.node.disk.flip(path, offset, bit)
    this.wounded.add(holding.container)
    this.flips.push({ machine, container: chosen.id, path, offset, value: (bytes[offset] ?? 0) ^ (1 << bit) })
    return `${path} at ${offset}`
  }

  private async holdings(gateway: Gateway): Promise<readonly KnownHolding[] | undefined> {
    for (const { id, life } of this.world.datanodes) {
      if (life === undefined) continue
      this.lastReports.set(id, new Map(life.datanode.containers().map((report) => [report.id, report])))
    }
    try {
      const infos = await gateway.scm.listContainers({ limit: 10_000 })
      const holdings: KnownHolding[] = []
      for (const info of infos) {
        if (info.state === 'DELETING' || info.state === 'DELETED') continue
        const isEncoded = info.replication.startsWith('EC/') || info.datanodes.length === 1
        const details = isEncoded ? await gateway.scm.containerInfo(info.id) : undefined
        if (details?.shardOf === undefined) holdings.push(this.holding(info, details))
      }
      return holdings
    } catch (error) {
      if (!isStoreError(error)) throw error
      return undefined // nobody answers now
    }
  }

  private holding(info: ContainerInfo, details: ContainerDetails | undefined): KnownHolding {
    const { id: container } = info
    const partial = info.datanodes.filter(
      (id) => this.lost.get(id)?.has(container) !== true && !this.isRotten(id, container),
    )
    const whole = info.datanodes.filter((id) => this.isWhole(id, container))
    const shardIds = details?.ec?.shards ?? []
    const shards = shardIds.map((shard) =>
      this.world.datanodes.map(({ id }) => id).filter((id) => this.isWhole(id, shard)),
    )
    const isHealed = shardIds.length > 0 ? shards.every(({ length }) => length > 0) : whole.length >= 3
    if (isHealed) this.wounded.delete(container)
    const base = {
      container,
      whole,
      partial: info.state === 'CLOSED' ? [] : partial,
      origins: 3,
      dataShards: 3,
      shardIds,
    }
    return shardIds.length > 0 ? { ...base, shards } : base
  }

  private isWhole(id: string, container: number): boolean {
    return this.lastReports.get(id)?.get(container)?.state === 'CLOSED' && !this.isRotten(id, container)
  }

  private isRotten(id: string, container: number): boolean {
    return this.flips.some(({ machine, container: flipped, path, offset, value }) => {
      return machine.id === id && flipped === container && machine.node.disk.durable(path)?.bytes[offset] === value
    })
  }
}

interface KnownHolding extends Holding {
  readonly shardIds: readonly number[]
}

function has({ whole, partial, shards = [] }: Holding, machine: string): boolean {
  return [whole, partial, ...shards].some((at) => at.includes(machine))
}
