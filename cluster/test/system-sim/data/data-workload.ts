import type { SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import type { Key, OmCommand } from '@o3/om/api'
import type { ReplicationConfig } from '@o3/scm/api'
import { insist } from '../insist.ts'
import { found, owner, volume } from '../om-commands.ts'
import { contentOf, firstDifference } from './content-of.ts'
import type { DataWorld } from './data-world.ts'
import { Gateway, isLoss, type WrittenBody } from './gateway.ts'

/** What is larger is streamed. */
export const chunkBytes = 64 * 1024
/** OM keeps less in its rows. */
const leastBytes = 4_097

/** One content that was put, or whose fate is not known; 0: the key is not there. */
type Version = number

interface Known {
  readonly bucket: string
  readonly key: string
  /** Of which one is there: one, but for a change that nobody answered. */
  possible: ReadonlySet<Version>
}

export interface DataCounts {
  puts: number
  deletes: number
  reads: number
  lost: number
  refused: number
  bytes: number
}

/** Clients with keys of their own: what they were told is what must be there. */
export class DataWorkload {
  readonly counts: DataCounts = { puts: 0, deletes: 0, reads: 0, lost: 0, refused: 0, bytes: 0 }
  readonly gateways: readonly Gateway[]
  isOver = false
  private readonly world: DataWorld
  private readonly keys: Known[] = []
  private readonly lengths = new Map<Version, number>()
  private readonly busy: Promise<void>[] = []
  private nextVersion = 1

  constructor(world: DataWorld) {
    this.world = world
    this.gateways = ['gw1', 'gw2'].map((name) => new Gateway(world, name))
  }

  get first(): Gateway {
    const [gateway] = this.gateways
    if (gateway === undefined) throw new Error('there is a gateway')
    return gateway
  }

  async start(): Promise<void> {
    const { clients, replications } = this.world.plan.workload
    await this.make({ kind: 'create-user', user: owner, admin: true })
    await this.make({ kind: 'create-volume', volume, owner, quota: {} })
    for (const replication of replications) {
      await this.make({ kind: 'create-bucket', volume, bucket: bucketOf(replication), owner, quota: {}, replication })
    }
    for (let n = 0; n < clients; n++) {
      const gateway = this.gateways[n % this.gateways.length] ?? this.first
      const replication = replications[n % replications.length] ?? 'RATIS/THREE'
      const work = this.client({ gateway, replication, random: this.world.random.fork(`client/${n}`), name: `c${n}` })
      this.busy.push(this.world.guarded(work))
    }
  }

  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.busy)
  }

  close(): void {
    for (const gateway of this.gateways) gateway.close()
  }

  /** Something is written, within so long. */
  async probe(withinMs: number): Promise<void> {
    const replication = 'RATIS/THREE'
    const endMs = this.world.simulation.nowMs + withinMs
    for (let attempt = 1; this.world.simulation.nowMs < endMs; attempt++) {
      const known: Known = { bucket: bucketOf(replication), key: `probe-${attempt}`, possible: new Set([0]) }
      this.keys.push(known)
      if (await this.put(this.first, known, { replication, lengthBytes: 10_000 })) return
    }
    this.world.accuse('progress', `${withinMs} ms after all was healed nothing could be written`)
  }

  /** Every key has bytes that it may have. */
  async readBack(): Promise<void> {
    for (const known of this.keys) await this.read(this.first, known, 20_000)
  }

  /** Of the blocks that keys are in, by name. */
  async namedBlocks(): Promise<ReadonlyMap<string, Uint8Array>> {
    const named = new Map<string, Uint8Array>()
    for (const { bucket, key } of this.keys) {
      const at = { volume, bucket, key }
      const outcome = await insist(this.first.env.clock, 10_000, () => found(this.first.om.getKey(at)))
      if (outcome.kind !== 'answer') this.world.accuse('progress', `${key} cannot be looked up`)
      else if (outcome.value !== undefined) {
        const { content, etag, size } = outcome.value
        if (content.kind !== 'blocks') continue
        for (const segment of content.segments) {
          if (segment.kind !== 'block') continue
          named.set(`${segment.block.container}/${segment.block.local}`, contentOf(Number(etag), size))
        }
      }
    }
    return named
  }

  private async make(command: OmCommand): Promise<void> {
    const { env, om } = this.first
    const requestId = env.random.uuid()
    const outcome = await insist(env.clock, 60_000, () => om.execute(command, { requestId }))
    if (outcome.kind !== 'answer') this.world.accuse('progress', `${command.kind} came to ${JSON.stringify(outcome)}`)
  }

  private async client({ gateway, replication, random, name }: Client): Promise<void> {
    const { keysEach, thinkMs, largestBytes } = this.world.plan.workload
    const mine: Known[] = []
    let made = 0
    while (!this.isOver) {
      await gateway.env.clock.sleep(2 * thinkMs * random.fraction())
      // A key whose last change nobody answered may change yet: it is only read from now on.
      while (mine.filter(({ possible }) => possible.size === 1).length < keysEach) {
        const known: Known = { bucket: bucketOf(replication), key: `${name}-${made++}`, possible: new Set([0]) }
        mine.push(known)
        this.keys.push(known)
      }
      const settled = mine.filter(({ possible }) => possible.size === 1)
      const dice = random.fraction()
      const any = dice < 0.35 ? mine[random.below(mine.length)] : settled[random.below(settled.length)]
      if (any === undefined) continue
      if (dice < 0.35) await this.read(gateway, any, 1)
      else if (dice < 0.5) await this.remove(gateway, any)
      else {
        const most = random.chance(0.6) ? 30_000 : largestBytes
        await this.put(gateway, any, { replication, lengthBytes: leastBytes + random.below(most - leastBytes) })
      }
    }
  }

  /** Bytes that no key has yet. */
  newContent(lengthBytes: number): NewContent {
    const version = this.nextVersion++
    this.lengths.set(version, lengthBytes)
    return { version, bytes: contentOf(version, lengthBytes) }
  }

  /** A key is made of what somebody has written. True: it is there. */
  async keep(key: string, content: NewContent, body: WrittenBody): Promise<boolean> {
    const known: Known = { bucket: bucketOf('RATIS/THREE'), key, possible: new Set([0]) }
    this.keys.push(known)
    return await this.commit(this.first, known, content, body)
  }

  /** Of what was kept. */
  async delete(key: string): Promise<void> {
    const known = this.keys.find((each) => each.key === key)
    if (known === undefined) throw new Error(`no ${key}`)
    await this.remove(this.first, known)
  }

  /** True: it is there. */
  private async put(gateway: Gateway, known: Known, { replication, lengthBytes }: Putting): Promise<boolean> {
    const content = this.newContent(lengthBytes)
    const body = await gateway.write(content.bytes, replication, chunkBytes)
    if (body !== undefined) return await this.commit(gateway, known, content, body)
    this.counts.refused++
    return false
  }

  private async commit(
    gateway: Gateway,
    known: Known,
    { version, bytes: { length: lengthBytes } }: NewContent,
    body: WrittenBody,
  ): Promise<boolean> {
    const done = await this.change(gateway, known, {
      version,
      command: {
        kind: 'commit-key',
        ...at(known),
        owner,
        size: lengthBytes,
        content: { kind: 'leased', ...body },
        attributes: { etag: `${version}`, headers: {}, metadata: {}, tags: {} },
        preconditions: {},
      },
    })
    if (!done) return false
    this.counts.puts++
    this.counts.bytes += lengthBytes
    return true
  }

  private async remove(gateway: Gateway, known: Known): Promise<void> {
    const command: OmCommand = { kind: 'delete-key', ...at(known), preconditions: {} }
    if (await this.change(gateway, known, { version: 0, command })) this.counts.deletes++
  }

  private async change({ env, om }: Gateway, known: Known, { version, command }: Change): Promise<boolean> {
    const before = known.possible
    known.possible = new Set([...before, version])
    const requestId = env.random.uuid()
    const outcome = await insist(env.clock, 8_000, () => om.execute(command, { requestId }))
    if (outcome.kind === 'answer') known.possible = new Set([version])
    else if (outcome.kind === 'lost') this.counts.lost++
    else {
      known.possible = before
      this.counts.refused++
    }
    return outcome.kind === 'answer'
  }

  /** What is not `OK` after so long is a violation, if so long is more than one attempt. */
  private async read(gateway: Gateway, known: Known, withinMs: number): Promise<void> {
    const { clock } = gateway.env
    const endMs = clock.monotonicMs() + withinMs
    let last = 'nothing'
    do {
      const outcome = await insist(clock, 1, () => found(gateway.om.getKey(at(known))))
      if (outcome.kind === 'answer') {
        this.expectPossible(known, outcome.value)
        last = await this.readBytes(gateway, known, outcome.value)
        if (last === 'done') return
      }
      await clock.sleep(100)
    } while (clock.monotonicMs() < endMs)
    if (withinMs > 1) this.world.accuse('progress', `${known.key} cannot be read: ${last}`)
  }

  private expectPossible({ key, possible }: Known, value: Key | undefined): void {
    const version = value === undefined ? 0 : Number(value.etag)
    if (possible.has(version)) return
    this.world.accuse('content', `${key} is version ${version}, and may be ${[...possible].join(' or ')} only`)
  }

  private async readBytes(gateway: Gateway, known: Known, value: Key | undefined): Promise<string> {
    if (value === undefined) return 'done'
    const { accuse } = this.world
    try {
      const bytes = await gateway.read(value)
      const differs = firstDifference(bytes, contentOf(Number(value.etag), value.size))
      if (differs !== undefined)
        accuse('content', `${known.key}, version ${value.etag}: other bytes from ${differs} on`)
      this.counts.reads++
      return 'done'
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (!isLoss(error)) {
        gateway.expectBearable(error, `reading ${known.key}`)
        return error.message
      }
      // Unless it was changed meanwhile, and so long ago that its blocks have gone.
      const now = await insist(gateway.env.clock, 1, () => found(gateway.om.getKey(at(known))))
      if (now.kind === 'answer' && now.value?.updateId === value.updateId) {
        accuse(
          'no-loss',
          `${known.key}, version ${value.etag}, ${JSON.stringify(value.content)}: ${error.code}, ${error.message}`,
        )
      }
      return error.message
    }
  }
}

export const bucketOf = (replication: ReplicationConfig): string => replication.toLowerCase().replaceAll('/', '-')

const at = ({ bucket, key }: Known) => ({ volume, bucket, key })

interface Client {
  readonly gateway: Gateway
  readonly replication: ReplicationConfig
  readonly random: SimRandom
  readonly name: string
}

interface NewContent {
  readonly version: Version
  readonly bytes: Uint8Array
}

interface Putting {
  readonly replication: ReplicationConfig
  readonly lengthBytes: number
}

interface Change {
  readonly version: Version
  readonly command: OmCommand
}
