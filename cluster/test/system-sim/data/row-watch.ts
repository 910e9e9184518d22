import type { ContainerInfo, ContainerState } from '@o3/scm/api'
import { insist } from '../insist.ts'
import type { DataWorld } from './data-world.ts'
import type { Gateway } from './gateway.ts'

const rank: Readonly<Record<ContainerState, number>> = {
  OPEN: 0,
  CLOSING: 1,
  QUASI_CLOSED: 2,
  CLOSED: 3,
  DELETING: 4,
  DELETED: 5,
}

/** Looks at SCM's containers again and again: none goes back, and none comes again. */
export class RowWatch {
  isOver = false
  private readonly world: DataWorld
  private readonly gateway: Gateway
  private readonly last = new Map<number, ContainerInfo>()
  private readonly gone = new Set<number>()

  constructor(world: DataWorld, gateway: Gateway) {
    this.world = world
    this.gateway = gateway
  }

  async run(): Promise<void> {
    while (!this.isOver) {
      await this.world.simulation.clock.sleep(700)
      const outcome = await insist(this.gateway.env.clock, 1, () => this.gateway.scm.listContainers({ limit: 10_000 }))
      if (outcome.kind === 'answer') this.see(outcome.value)
    }
  }

  private see(infos: readonly ContainerInfo[]): void {
    const there = new Set(infos.map(({ id }) => id))
    for (const info of infos) {
      if (this.gone.has(info.id)) this.world.accuse('rows-forward', `container ${info.id} was gone, and is there again`)
      const before = this.last.get(info.id)
      this.last.set(info.id, info)
      if (before === undefined) continue
      if (rank[info.state] < rank[before.state] || info.nextLocal < before.nextLocal) {
        const [was, is] = [before, info].map(({ state, nextLocal }) => `${state} up to ${nextLocal}`)
        this.world.accuse('rows-forward', `container ${info.id} was ${was}, and is ${is}`)
      }
    }
    for (const id of this.last.keys()) {
      if (there.has(id)) continue
      this.last.delete(id)
      this.gone.add(id)
    }
  }
}
