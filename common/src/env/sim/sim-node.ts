import { assert } from '../../errors.ts'
import type { Cancel } from '../env.ts'
import { MemoryKv } from '../../kv/memory-kv.ts'
import type { KvStore } from '../../kv/kv.ts'
import { diskLatency, type DiskLatency } from './disk-latency.ts'
import { PacedKv } from './paced-kv.ts'
import { SimDisk, type SimDiskOptions } from './sim-disk.ts'
import type { SimNetwork } from './sim-network.ts'
import { SimProcess } from './sim-process.ts'
import type { SimRandom } from './sim-random.ts'
import type { World } from './world.ts'

export interface SimNodeOptions {
  readonly disk?: Omit<SimDiskOptions, 'random' | 'pace'>
  /** How long the disk takes. Default: fractions of a millisecond, syncs some milliseconds and sometimes many. */
  readonly latency?: DiskLatency
}

export interface SimNodeParts {
  readonly world: World
  readonly network: SimNetwork
  readonly name: string
  readonly options: SimNodeOptions
}

/** What a crash hook wants to happen at a site. */
export type SiteVerdict = 'go-on' | 'crash' | 'kill'

/**
 * A machine: its disk and its key-value stores outlive the process on it. `boot` starts a process, `kill` ends it as
 * SIGKILL does (what it wrote stays in the page cache), `crash` ends it by a power cut.
 *
 * A dead process still has code that runs to its next `await`, but nothing it does reaches anything: its timers, disk
 * operations and messages never complete. What it settles among its own promises a script can see;
 * `SimProcess.whileUp` tells that apart.
 */
export class SimNode {
  readonly name: string
  readonly #world: World
  readonly #network: SimNetwork
  readonly #random: SimRandom
  readonly #latency: DiskLatency
  readonly #options: SimNodeOptions
  readonly #stores = new Map<string, MemoryKv>()
  readonly #siteHits = new Map<string, number>()
  #disk: SimDisk
  #process: SimProcess | undefined
  #incarnation = 0
  /** Asked at each `env.at(site)`, with how often this site was passed on this machine. */
  onSite: (site: string, hit: number) => SiteVerdict = () => 'go-on'

  constructor({ world, network, name, options }: SimNodeParts) {
    this.name = name
    this.#world = world
    this.#network = network
    this.#random = world.random.fork(`node/${name}`)
    this.#latency = options.latency ?? diskLatency()
    this.#options = options
    this.#disk = new SimDisk({ ...options.disk, random: this.#random.fork('disk') })
  }

  /** The running process; a bug when there is none. */
  get process(): SimProcess {
    assert(this.#process !== undefined, `${this.name} is down`)
    return this.#process
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  /** The disk, for faults and for looking at what is durable. After the end of a process there is another one. */
  get disk(): SimDisk {
    return this.#disk
  }

  /** How often each site was passed: a crash test that reaches none tests nothing. */
  get siteHits(): ReadonlyMap<string, number> {
    return this.#siteHits
  }

  /** Starts a process. */
  boot(): SimProcess {
    assert(this.#process === undefined, `${this.name} is up`)
    const process = new SimProcess({
      world: this.#world,
      network: this.#network,
      node: this.name,
      random: this.#random.fork(`process/${++this.#incarnation}`),
      onSite: (site) => this.#pass(site),
      bootDisk: (pace) => {
        this.#disk = this.#disk.restart(pace)
        return this.#disk
      },
      latency: this.#latency,
    })
    this.#process = process
    return process
  }

  /** Opens the key-value store at `path` for the running process; its contents live as long as the machine. */
  openKv(path: string): Promise<KvStore> {
    const { process } = this
    const store = this.#stores.get(path)?.reopen() ?? new MemoryKv()
    this.#stores.set(path, store)
    const random = process.random.fork(`kv/${path}`)
    return Promise.resolve(new PacedKv({ store, random, path, plan: (plan) => process.plan(plan) }))
  }

  /** The process dies, the machine lives. */
  kill(): void {
    if (this.#process === undefined) return
    this.#end('kill')
    this.#disk = this.#disk.restart()
    for (const [path, store] of this.#stores) this.#stores.set(path, store.reopen())
  }

  /** A power cut. Without a process it still takes what the last one left unsynced. */
  crash(): void {
    this.#end('crash')
    this.#disk = this.#disk.crash()
    for (const [path, store] of this.#stores) this.#stores.set(path, store.crash(this.#random))
  }

  /** A machine that is down gets a blank disk, and with it blank key-value stores. */
  replaceDisk(): void {
    assert(this.#process === undefined, `${this.name} is up`)
    this.#world.note('blank', this.name)
    this.#disk = new SimDisk({ ...this.#options.disk, random: this.#random.fork(`disk/${this.#incarnation}`) })
    this.#stores.clear()
  }

  /**
   * SIGSTOP, until cancelled: the process does nothing and reads nothing, and its clocks go on. What was due meanwhile
   * happens then, at once.
   */
  pause(): Cancel {
    const paused = this.process
    const release = this.#network.hold(this.name)
    this.#world.note('pause', this.name)
    paused.pause()
    return () => {
      paused.resume()
      release()
    }
  }

  /** Resolves when the running process is dead. */
  down(): Promise<void> {
    return this.#process?.ended ?? Promise.resolve()
  }

  /** `SimProcess.whileUp` of the process that runs now; `down` when there is none. */
  whileUp<T>(work: Promise<T>): Promise<T | 'down'> {
    if (this.#process !== undefined) return this.#process.whileUp(work)
    work.catch(() => undefined) // nobody is left to say it
    return Promise.resolve('down')
  }

  #end(how: 'kill' | 'crash'): void {
    if (this.#process === undefined) return
    this.#world.note(how, this.name)
    this.#process.die()
    this.#process = undefined
    this.#network.processEnded(this.name, how)
  }

  #pass(site: string): void {
    const hit = (this.#siteHits.get(site) ?? 0) + 1
    this.#siteHits.set(site, hit)
    this.#world.note('site', `${this.name} ${site}`)
    const verdict = this.onSite(site, hit)
    if (verdict === 'crash') this.crash()
    else if (verdict === 'kill') this.kill()
  }
}
