import type { SimNode, SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import type { SystemWorld } from './world.ts'

/** The cluster, as far as its operator sees it. */
export type Supervised = Pick<SystemWorld, 'simulation' | 'random' | 'isCalm' | 'tell' | 'accuse'>

/** A machine that is to run a process. */
export interface Kept {
  readonly id: string
  readonly node: SimNode
  /** Why it does not serve, though its process runs. */
  readonly failure: string | undefined
  /** Its disk lost something on purpose. */
  readonly isBad: boolean
  /** Rejects when it does not start, and is down then. */
  start(): Promise<'up' | 'down'>
  down(how: 'kill' | 'crash'): void
  replaceDisk(): void
}

/** How soon a process is started again. */
const restartMs = 2_500
const lookMs = 100

/**
 * Keeps members running, as an operator and his machines do: what is down is started again after a while, what has failed is
 * killed first, and a disk that is found damaged is replaced by a blank one, if it was damaged on purpose.
 */
export class Supervisor {
  isOver = false
  /** Starts that came to nothing, by the code of the reason. */
  readonly refusedStarts = new Map<string, number>()
  private readonly world: Supervised
  private readonly random: SimRandom
  private readonly keeping: Promise<void>[] = []
  /** Stay down. */
  private readonly resting = new Set<Kept>()

  constructor(world: Supervised) {
    this.world = world
    this.random = world.random.fork('supervisor')
  }

  keep(member: Kept): void {
    this.keeping.push(this.watchOver(member))
  }

  rest(member: Kept): void {
    this.resting.add(member)
    if (member.node.isUp) member.down('kill')
  }

  wake(member: Kept): void {
    this.resting.delete(member)
  }

  /** Until nothing is started any more. */
  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.keeping)
  }

  private async watchOver(member: Kept): Promise<void> {
    const { clock } = this.world.simulation
    while (!this.isOver) {
      if (member.failure !== undefined) {
        this.world.tell(`${member.id} has failed: ${member.failure}`)
        member.down('kill')
      }
      if (!member.node.isUp && !this.resting.has(member)) {
        await clock.sleep(this.world.isCalm ? 20 : this.random.below(restartMs))
        if (!member.node.isUp && !this.resting.has(member)) await this.start(member)
      }
      await clock.sleep(lookMs)
    }
  }

  private async start(member: Kept): Promise<void> {
    try {
      const how = await member.start()
      this.world.tell(`${member.id} was started: ${how}${member.isBad ? ', and has lost something' : ''}`)
    } catch (error) {
      if (!isStoreError(error)) throw error
      this.world.tell(`${member.id} does not start: ${error.code}, ${error.message}`)
      this.refusedStarts.set(error.code, (this.refusedStarts.get(error.code) ?? 0) + 1)
      if (error.code !== 'Damaged' && error.code !== 'Incompatible') return // a disk that fails or is full: tried again
      if (member.isBad) member.replaceDisk()
      else this.world.accuse('start', `${member.id} does not start: ${error.code}, ${error.message}`)
    }
  }
}
