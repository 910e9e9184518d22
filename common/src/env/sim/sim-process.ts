import type { Cancel, Env, Network, Tasks } from '../env.ts'
import { startTask } from '../shared/running-task.ts'
import type { DiskLatency } from './disk-latency.ts'
import { SimClock } from './sim-clock.ts'
import type { DiskPace, SimDisk } from './sim-disk.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimRandom } from './sim-random.ts'
import type { Plan, World } from './world.ts'

export interface SimProcessParts {
  readonly world: World
  readonly network: SimNetwork
  readonly node: string
  readonly random: SimRandom
  readonly latency: DiskLatency
  readonly onSite: (site: string) => void
  /** The machine's disk, for this process. */
  readonly bootDisk: (pace: DiskPace) => SimDisk
}

/** A process in a simulation: the `Env` that its code runs on. When it dies, what it had planned never happens. */
export class SimProcess implements Env {
  readonly node: string
  readonly clock: SimClock
  readonly random: SimRandom
  readonly tasks: Tasks
  readonly disk: SimDisk
  readonly network: Network
  readonly at: (site: string) => void
  readonly #world: World
  readonly #end = Promise.withResolvers<void>()
  #isAlive = true
  /** What was due while it was paused, in order. */
  #held: (() => void)[] | undefined

  constructor(parts: SimProcessParts) {
    const { world, node, random, latency } = parts
    this.node = node
    this.#world = world
    this.random = random
    this.clock = new SimClock(world, (plan) => this.plan(plan))
    this.tasks = {
      spawn: (name, run) => startTask(name, run, (_, error) => this.#taskFailed(name, error)),
      nextTurn: (action) => void this.plan({ afterMs: 0, kind: 'turn', name: '', action }),
    }
    const diskRandom = random.fork('disk-latency')
    this.disk = parts.bootDisk(({ kind, path, bytes }, complete) => {
      const afterMs = latency({ kind, bytes, random: diskRandom })
      this.plan({ afterMs, kind, name: path, action: complete })
    })
    this.network = parts.network.of(this)
    this.at = (site) => {
      if (this.#isAlive) parts.onSite(site)
    }
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  plan({ afterMs, kind, name, action }: Plan): Cancel {
    if (!this.#isAlive) return () => {}
    const ifAlive = (): void => {
      if (!this.#isAlive) return
      if (this.#held === undefined) action()
      else this.#held.push(() => this.#isAlive && action())
    }
    return this.#world.plan({ afterMs, kind, name: `${this.node} ${name}`, action: ifAlive })
  }

  /** SIGSTOP: nothing that it waits for happens until `resume`; its clocks go on. What comes over the network it still reads. */
  pause(): void {
    this.#held ??= []
  }

  resume(): void {
    const held = this.#held
    this.#held = undefined
    for (const action of held ?? []) this.plan({ afterMs: 0, kind: 'resume', name: '', action })
  }

  /** Resolves when this process is dead. */
  get ended(): Promise<void> {
    return this.#end.promise
  }

  /** What this process says, or `down` when it dies first, or was dead when it said it. */
  whileUp<T>(work: Promise<T>): Promise<T | 'down'> {
    return new Promise((resolve, reject) => {
      void this.ended.then(() => resolve('down'))
      work.then(
        (value) => resolve(this.#isAlive ? value : 'down'),
        (error: unknown) => {
          if (this.#isAlive) reject(error)
          else resolve('down')
        },
      )
    })
  }

  die(): void {
    this.#isAlive = false
    this.clock.stop()
    this.#end.resolve()
  }

  #taskFailed(name: string, error: unknown): void {
    if (this.#isAlive) this.#world.fail(`the task ${name} of ${this.node} failed`, error)
  }
}
