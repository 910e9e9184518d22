import type { Env } from '@o3/common/env'
import type { SimRandom } from '@o3/common/env/sim'
import type { GroupClient } from '@o3/common/rpc'
import type { Key, Lease, NewContent, OmCommand, OmReply } from '@o3/om/api'
import { RemoteOm } from '@o3/om/client'
import { History, type CallId } from '@o3/ratis/testing'
import { insist, type Outcome } from './insist.ts'
import type { BucketInput, BucketOutput, Condition, KeyInput, KeyOutput, TreeInput, TreeOutput } from './models.ts'
import {
  blocksOf,
  blocksOfNew,
  bucketCommandOf,
  commandOf,
  copyOf,
  found,
  isChange,
  keyOutputOf,
  keysBucket,
  owner,
  treeCommandOf,
  treeInput,
  volume,
} from './om-commands.ts'
import { SeatLease, type Seat } from './seat.ts'
import { groupClient } from './services.ts'
import type { SystemWorld } from './world.ts'

/** A tree is checked as one object: beyond so many operations it is left, and another one begun. */
const mostTreeOperations = 60

/** Less than OM remembers. */
const mostRemembered = 300

export interface WorkloadCounts {
  answered: number
  lost: number
  nothing: number
  repeats: number
  memberReads: number
}

/** What clients do, and what they were told. */
export class Workload {
  readonly keys = new History<KeyInput, KeyOutput>()
  readonly trees = new History<TreeInput, TreeOutput>()
  readonly buckets = new History<BucketInput, BucketOutput>()
  readonly counts: WorkloadCounts = { answered: 0, lost: 0, nothing: 0, repeats: 0, memberReads: 0 }
  isOver = false
  private readonly world: SystemWorld
  private readonly seats: Seat[] = []
  private readonly clients: GroupClient[] = []
  private readonly busy: Promise<void>[] = []
  private readonly lastEtag = new Map<string, string>()
  /** The blocks that each ETag was written to. */
  private readonly contents = new Map<string, readonly string[]>()
  /** Keys as they were last read. */
  private readonly lastRead = new Map<string, Key>()
  private tree = { bucket: Promise.resolve(''), number: 0, operations: mostTreeOperations }
  /** Changes that were answered, the last of them. */
  private readonly done: Done[] = []
  private nextEtag = 1
  private nextName = 1
  private highestUpdateId = 0

  constructor(world: SystemWorld) {
    this.world = world
  }

  /** Makes the buckets, and sets all clients to work. */
  async start(): Promise<void> {
    const { world } = this
    const { keyClients, treeClients } = world.plan.workload
    const gateways = ['gw1', 'gw2'].map((name) => world.machine(name))
    const seats = gateways.map((env) => this.seat(env))
    const [first] = seats
    if (first === undefined) throw new Error('there is a gateway')
    await this.make(first, { kind: 'create-user', user: owner, admin: true })
    await this.make(first, { kind: 'create-volume', volume, owner, quota: {} })
    await this.makeBucket(first, keysBucket)
    const seatOf = (n: number): Seat => seats[n % seats.length] ?? first
    for (let n = 0; n < keyClients; n++) this.busy.push(this.keyClient(seatOf(n), world.random.fork(`keys/${n}`)))
    for (let n = 0; n < treeClients; n++) this.busy.push(this.treeClient(seatOf(n), world.random.fork(`trees/${n}`)))
    this.busy.push(this.bucketClient(seatOf(0), world.random.fork('buckets')))
  }

  /** All clients come to an end. */
  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.busy)
  }

  close(): void {
    for (const client of this.clients) client.close()
  }

  /** One write and one lease are answered within so long: by OM, and by SCM behind it. */
  async probe(withinMs: number): Promise<void> {
    const { seats, world } = this
    const [seat] = seats
    if (seat === undefined) throw new Error('there is a gateway')
    const endMs = world.simulation.nowMs + withinMs
    const content: NewContent = { kind: 'inline', bytes: new Uint8Array(3) }
    const put = (): Promise<KeyOutput | undefined> =>
      this.onKey(seat, 'probe', { input: { kind: 'put', etag: this.newEtag() }, content })
    const lease = (): Promise<Lease | undefined> => this.lease(seat, new SeatLease())
    for (const [what, ask] of [
      ['took no write', put],
      ['leased no blocks', lease],
    ] as const) {
      let answer = await ask()
      while (answer === undefined && world.simulation.nowMs < endMs) answer = await ask()
      if (answer === undefined) world.accuse('progress', `${withinMs} ms after it was healed a majority ${what}`)
    }
  }

  /** When leases and delays are over, the datanode has the blocks that keys are in, and no others. */
  async expectNoGarbage(withinMs: number): Promise<void> {
    const { world } = this
    const { simulation, datanode } = world
    const endMs = simulation.nowMs + withinMs
    for (;;) {
      const named = await this.namedBlocks()
      const stray = datanode.blocks.filter((block) => !named.has(block))
      if (stray.length === 0) return
      if (simulation.nowMs > endMs) {
        world.accuse('no-garbage', `after ${withinMs} ms nobody names ${stray.length} blocks, as ${stray[0]}`)
        return
      }
      await simulation.clock.sleep(1_000)
    }
  }

  private async namedBlocks(): Promise<ReadonlySet<string>> {
    const [seat] = this.seats
    const named = new Set<string>()
    if (seat === undefined) return named
    const { keys } = this.world.plan.workload
    for (const name of ['probe', ...Array.from({ length: keys }, (_, n) => `k${n}`)]) {
      const at = { volume, bucket: keysBucket, key: name }
      const outcome = await insist(seat.env.clock, 10_000, () => found(seat.om.getKey(at)))
      if (outcome.kind === 'answer' && outcome.value !== undefined) {
        for (const block of blocksOf(outcome.value.content)) named.add(block)
      }
    }
    return named
  }

  /** Every key is read from every member, one after the other. */
  async readBack(): Promise<void> {
    const [seat] = this.seats
    if (seat === undefined) throw new Error('there is a gateway')
    for (let n = 0; n < this.world.plan.workload.keys; n++) {
      for (const { id } of this.world.om.voters) await this.readAt(seat, id, `k${n}`, 'must')
    }
  }

  /** OM counts all that it has, and finds nothing wrong. */
  async audit(): Promise<void> {
    const [seat] = this.seats
    if (seat === undefined) return
    const outcome = await insist(seat.env.clock, 10_000, () => seat.om.audit())
    if (outcome.kind !== 'answer') this.world.accuse('audit', `the audit came to ${JSON.stringify(outcome)}`)
    else if (outcome.value.length > 0) this.world.accuse('audit', outcome.value.join('; '))
  }

  private seat(env: Env): Seat {
    const group = groupClient(env, 'om', this.world.om.firstIds, { deadlineMs: 4_000, tryMs: 1_000 })
    this.clients.push(group)
    const seat: Seat = { env, om: new RemoteOm(group), members: new Map() }
    this.seats.push(seat)
    return seat
  }

  private memberOf({ env, members }: Seat, id: string): RemoteOm {
    const client = groupClient(env, id, [id], { deadlineMs: 2_000 })
    this.clients.push(client)
    const om = new RemoteOm(client)
    members.set(id, om)
    return om
  }

  private async make({ om, env }: Seat, command: OmCommand): Promise<void> {
    const requestId = env.random.uuid()
    const outcome = await insist(env.clock, 60_000, () => om.execute(command, { requestId }))
    if (outcome.kind !== 'answer') this.world.accuse('progress', `${command.kind} came to ${JSON.stringify(outcome)}`)
  }

  private makeBucket(seat: Seat, bucket: string): Promise<void> {
    return this.make(seat, { kind: 'create-bucket', volume, bucket, owner, quota: {}, replication: 'RATIS/ONE' })
  }

  private newEtag(): string {
    return `e${this.nextEtag++}`
  }

  // --------------------------------------------------------------------------------------------------- keys

  private async keyClient(seat: Seat, random: SimRandom): Promise<void> {
    const { plan } = this.world
    const { keys, thinkMs, memberShare } = plan.workload
    const holding = new SeatLease()
    const { clock } = seat.env
    while (!this.isOver) {
      await clock.sleep(2 * thinkMs * random.fraction())
      const key = `k${random.below(keys)}`
      const dice = random.fraction()
      if (dice < memberShare) {
        const { members } = this.world.om
        await this.readAt(seat, members[random.below(members.length)]?.id ?? '', key)
      } else if (dice < memberShare + 0.15) await this.read(seat, seat.om, key)
      else if (dice < memberShare + 0.25)
        await this.onKey(seat, key, { input: { kind: 'delete', ...this.condition(key, random) } })
      else await this.put({ seat, key, random, holding })
    }
    if (holding.lease !== undefined && random.chance(0.5)) await this.endLease(seat, holding.lease)
  }

  private async put(asked: {
    readonly seat: Seat
    readonly key: string
    readonly random: SimRandom
    readonly holding: SeatLease
  }): Promise<void> {
    const { seat, key, random, holding } = asked
    const input = { kind: 'put', etag: this.newEtag(), ...this.condition(key, random) } as const
    const source = this.lastRead.get(`k${random.below(this.world.plan.workload.keys)}`)
    if (source !== undefined && random.chance(0.15)) {
      const blocks = this.contents.get(source.etag) ?? []
      await this.onKey(seat, key, { input: { kind: 'put', etag: input.etag }, content: copyOf(source), blocks })
      return
    }
    if (random.chance(0.4)) {
      await this.onKey(seat, key, { input, content: { kind: 'inline', bytes: random.bytes(random.below(1_500)) } })
      return
    }
    const content = await this.leasedContent(seat, holding, random)
    if (content !== undefined) await this.onKey(seat, key, { input, content })
  }

  private condition(key: string, random: SimRandom): { readonly condition?: Condition } {
    const dice = random.fraction()
    const etag = this.lastEtag.get(key)
    if (dice < 0.2) return { condition: { kind: 'absent' } }
    if (dice < 0.5 && etag !== undefined) return { condition: { kind: 'etag', etag } }
    return {}
  }

  private async leasedContent(seat: Seat, holding: SeatLease, random: SimRandom): Promise<NewContent | undefined> {
    const length = 1 + random.below(12_000)
    for (let attempt = 0; attempt < 4; attempt++) {
      const lease = holding.lease ?? (await this.lease(seat, holding))
      if (lease === undefined) return undefined
      const block = holding.draw()
      if (block === undefined || !this.world.datanode.write(block, length)) {
        holding.lease = undefined
        continue
      }
      const proof = await this.world.datanode.prove(block, length)
      if (proof === undefined) return undefined
      return { kind: 'leased', lease: lease.id, extents: [{ block, length, proofs: [proof] }] }
    }
    return undefined
  }

  private async lease({ env, om }: Seat, holding: SeatLease): Promise<Lease | undefined> {
    const requestId = env.random.uuid()
    const request = { holder: env.random.uuid(), count: 4, replication: 'RATIS/ONE' } as const
    const outcome = await insist(env.clock, 6_000, () => om.leaseBlocks(request, { requestId }))
    if (outcome.kind !== 'answer') return undefined
    this.world.book.granted(outcome.value)
    holding.take(outcome.value)
    return outcome.value
  }

  private async endLease({ env, om }: Seat, { id }: Lease): Promise<void> {
    await insist(env.clock, 3_000, () => om.execute({ kind: 'end-lease', lease: id }))
  }

  /** What the change is answered, recorded. Undefined: nothing happened, or nobody knows. */
  private async onKey(seat: Seat, key: string, { input, content, blocks }: KeyChange): Promise<KeyOutput | undefined> {
    const { env, om } = seat
    const command = commandOf(key, input, content)
    if (input.kind === 'put') this.contents.set(input.etag, blocks ?? blocksOfNew(content))
    const requestId = env.random.uuid()
    const floor = this.highestUpdateId
    const id = this.keys.call({ client: this.name(), key, input })
    const came = await insist(env.clock, 8_000, () => om.execute(command, { requestId }))
    const outcome = content?.kind === 'copy' ? withoutSource(came) : came
    const output = this.settle(this.keys, id, outcome, (reply) => keyOutputOf(reply))
    if (outcome.kind !== 'answer') return output
    if (input.kind === 'put') this.lastEtag.set(key, input.etag)
    if (outcome.value.kind === 'key') this.placed(outcome.value.updateId, floor, command)
    this.repeatLater(seat, { command, requestId, first: outcome.value })
    return output
  }

  /** Numbers of changes count up with the log: who was answered before has a lower one. */
  private placed(updateId: number, floor: number, command: OmCommand): void {
    if (updateId <= floor) {
      this.world.accuse('order', `${JSON.stringify(command)} got number ${updateId}, though ${floor} had been answered`)
    }
    this.highestUpdateId = Math.max(this.highestUpdateId, updateId)
  }

  /** The same request once more, some time after its answer: it is answered alike, and not done again. */
  private repeatLater(seat: Seat, done: Done): void {
    const { world } = this
    if (!isChange(done.command, done.first)) return // it may be judged anew
    this.done.push(done)
    if (this.done.length > mostRemembered) this.done.shift()
    if (!world.random.chance(world.plan.workload.repeatShare) || this.isOver) return
    const later = async (): Promise<void> => {
      await seat.env.clock.sleep(world.random.fraction() * world.random.below(12_000))
      if (!this.isOver) await this.repeat(seat, done)
    }
    this.busy.push(later())
  }

  private async repeat({ env, om }: Seat, { command, requestId, first }: Done): Promise<void> {
    const outcome = await insist(env.clock, 4_000, () => om.execute(command, { requestId }))
    if (outcome.kind === 'lost' || outcome.kind === 'nothing') return
    this.counts.repeats++
    const found = outcome.kind === 'answer' ? JSON.stringify(outcome.value) : outcome.code
    if (found === JSON.stringify(first)) return
    this.world.accuse('exactly-once', `${command.kind} was answered ${JSON.stringify(first)}, its repetition ${found}`)
  }

  /** Some of the last changes once more, of whoever leads now. */
  async repeatSome(): Promise<void> {
    const [seat] = this.seats
    if (seat === undefined) return
    const every = Math.ceil(this.done.length / 12)
    await Promise.all(this.done.filter((_, n) => n % every === 0).map((done) => this.repeat(seat, done)))
  }

  private async readAt(seat: Seat, member: string, key: string, how: 'may' | 'must' = 'may'): Promise<void> {
    const om = seat.members.get(member) ?? this.memberOf(seat, member)
    const output = await this.read(seat, om, key, how === 'must' ? 10_000 : 1)
    if (output !== undefined) this.counts.memberReads++
    else if (how === 'must') this.world.accuse('progress', `${member} does not answer a read`)
  }

  private async read({ env }: Seat, om: RemoteOm, key: string, withinMs = 6_000): Promise<KeyOutput | undefined> {
    const id = this.keys.call({ client: this.name(), key, input: { kind: 'get' } })
    const beganMs = this.world.simulation.nowMs
    const outcome = await insist(env.clock, withinMs, () => found(om.getKey({ volume, bucket: keysBucket, key })))
    if (outcome.kind !== 'answer') {
      this.keys.withdrawn(id)
      this.counts.nothing++
      return undefined
    }
    const { value } = outcome
    if (value !== undefined) this.checkContent(key, value, beganMs)
    const output = { etag: value?.etag ?? null }
    this.keys.answered(id, output)
    this.counts.answered++
    if (value === undefined) this.lastRead.delete(key)
    else {
      this.lastEtag.set(key, value.etag)
      this.lastRead.set(key, value)
    }
    return output
  }

  private checkContent(name: string, { etag, content }: Key, beganMs: number): void {
    const { datanode, accuse } = this.world
    const blocks = blocksOf(content)
    const written = this.contents.get(etag) ?? []
    if (blocks.join() !== written.join()) {
      accuse('content', `${name} with ${etag} is in ${blocks.join(' ')}, and was written to ${written.join(' ')}`)
    }
    const gone = blocks.find((block) => (datanode.deletedMs.get(block) ?? Infinity) < beganMs)
    if (gone !== undefined) accuse('content', `${name} with ${etag} is in block ${gone}, which was deleted`)
  }

  // -------------------------------------------------------------------------------------------------- trees

  private async treeClient(seat: Seat, random: SimRandom): Promise<void> {
    const { clock } = seat.env
    while (!this.isOver) {
      await clock.sleep(4 * this.world.plan.workload.thinkMs * random.fraction())
      const tree = await this.treeOf(seat)
      await this.onTree(
        seat,
        tree,
        treeInput(random, () => this.newEtag()),
      )
    }
  }

  /** The tree that is in use; a new one, when that has seen enough. */
  private treeOf(seat: Seat): Promise<string> {
    const { tree } = this
    if (tree.operations >= mostTreeOperations) {
      const name = `tree-${++tree.number}`
      tree.operations = 0
      tree.bucket = this.makeBucket(seat, name).then(() => name)
    }
    tree.operations++
    return tree.bucket
  }

  private async onTree(seat: Seat, bucket: string, input: TreeInput): Promise<void> {
    const { env, om } = seat
    const at = { volume, bucket }
    if (input.kind === 'list') {
      const { prefix, after, most: limit } = input
      const id = this.trees.call({ client: this.name(), key: bucket, input })
      const outcome = await insist(env.clock, 4_000, () => om.listKeys({ ...at, prefix, after, limit, delimiter: '' }))
      if (outcome.kind !== 'answer') return this.trees.withdrawn(id)
      const names = outcome.value.items.flatMap((item) => (item.kind === 'key' ? [item.key.name] : []))
      this.trees.answered(id, { names, isTruncated: outcome.value.truncated })
      this.counts.answered++
      return
    }
    const command = treeCommandOf(at, input)
    const requestId = env.random.uuid()
    const id = this.trees.call({ client: this.name(), key: bucket, input })
    const outcome = await insist(env.clock, 8_000, () => om.execute(command, { requestId }))
    this.settle(this.trees, id, outcome, (reply) => (reply.kind === 'deleted' ? { existed: reply.existed } : 'ok'))
    if (outcome.kind === 'answer') this.repeatLater(seat, { command, requestId, first: outcome.value })
  }

  // ------------------------------------------------------------------------------------------------ buckets

  private async bucketClient(seat: Seat, random: SimRandom): Promise<void> {
    const { env, om } = seat
    while (!this.isOver) {
      await env.clock.sleep(6 * this.world.plan.workload.thinkMs * random.fraction())
      const bucket = `life-${random.below(3)}`
      const dice = random.fraction()
      const input: BucketInput = { kind: dice < 0.4 ? 'create' : dice < 0.7 ? 'delete' : 'get' }
      const id = this.buckets.call({ client: this.name(), key: bucket, input })
      const requestId = env.random.uuid()
      const outcome = await insist(env.clock, 8_000, async () => {
        if (input.kind === 'get') return om.getBucket({ volume, bucket })
        return om.execute(bucketCommandOf(bucket, input), { requestId })
      })
      this.settle(this.buckets, id, outcome, () => 'ok')
    }
  }

  // ----------------------------------------------------------------------------------------------- together

  private name(): string {
    return `c${this.nextName++}`
  }

  private settle<Input, Output, Value>(
    history: History<Input, Output>,
    id: CallId,
    outcome: Outcome<Value>,
    outputOf: (value: Value) => Output,
  ): Output | undefined {
    switch (outcome.kind) {
      case 'answer': {
        const output = outputOf(outcome.value)
        history.answered(id, output)
        this.counts.answered++
        return output
      }
      case 'refused':
        // The lease ran out, or the source of a copy is another one by now: nothing was done.
        if (outcome.code === 'LeaseExpired' || outcome.code === 'ConcurrentChange') history.withdrawn(id)
        else history.answered(id, outcome.code as Output)
        this.counts.answered++
        return outcome.code as Output
      case 'nothing':
        history.withdrawn(id)
        this.counts.nothing++
        return undefined
      case 'lost':
        this.counts.lost++
        return undefined
    }
  }
}

interface Done {
  readonly command: OmCommand
  readonly requestId: string
  readonly first: OmReply
}

interface KeyChange {
  readonly input: Exclude<KeyInput, { kind: 'get' }>
  readonly content?: NewContent
  /** Those of a copy's source. */
  readonly blocks?: readonly string[]
}

/** Of a copy whose source is gone: that says nothing about the key. */
function withoutSource<T>(outcome: Outcome<T>): Outcome<T> {
  return outcome.kind === 'refused' && outcome.code === 'KeyNotFound'
    ? { kind: 'refused', code: 'ConcurrentChange' }
    : outcome
}
