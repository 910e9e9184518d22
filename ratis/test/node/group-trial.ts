import { SimRandom } from '@o3/common/env/sim'
import { isStoreError, StoreError } from '@o3/common/errors'
import { simulatedAddress, type GroupMember, type SimulatedGroup } from '../../src/testing/simulated-group.ts'

export interface TrialResult {
  readonly acknowledged: number
  readonly unknown: number
  readonly reads: number
  readonly terms: number
  readonly installs: number
  readonly wipes: number
  readonly changes: number
}

const writers = 4
const readers = 2

/**
 * Clients that write and read while machines go down, ways are cut, logs are shortened and the lead is moved; then peace, and
 * what must hold: what was acknowledged is there, once and in one order; a read saw all that was acknowledged before it; no
 * term had two leaders.
 */
export class GroupTrial {
  private readonly group: SimulatedGroup
  private readonly random: SimRandom
  private readonly ids: readonly string[]
  private readonly acknowledged: string[] = []
  /** All processes there were. */
  private readonly past: GroupMember[] = []
  /** Whose disks were lost, and may not be made good yet: a second loss could be one too many. */
  private readonly starting = new Set<string>()
  private readonly wiped = new Set<string>()
  private wipes = 0
  /** Who was taken in besides the first members, and may be let go again; ids are never given twice. */
  private newcomer: string | undefined
  private newcomers = 0
  private changes = 0
  private changing: Promise<void> | undefined
  private unknown = 0
  private reads = 0
  private isOver = false

  constructor(group: SimulatedGroup, seed: string | number) {
    this.group = group
    this.random = new SimRandom(`trial/${seed}`)
    this.ids = [...group.members.keys()]
  }

  async run(steps: number): Promise<TrialResult> {
    this.past.push(...this.group.members.values())
    const clients = [
      ...Array.from({ length: writers }, (_, k) => this.write(k)),
      ...Array.from({ length: readers }, () => this.read()),
    ]
    for (let step = 0; step < steps; step++) {
      await this.sleep(200)
      await this.disturb()
      this.expectOneHistory()
    }
    await this.makePeace()
    this.isOver = true
    await Promise.all(clients)
    await this.group.propose('end')
    await this.group.agreed('end')
    return this.judge()
  }

  private async write(k: number): Promise<void> {
    for (let i = 0; !this.isOver; i++) {
      const text = `${k}/${i} ${'x'.repeat(this.random.below(400))}`
      const member = this.someMember()
      await this.sleep(5)
      if (member === undefined || !this.isUp(member) || !member.list.isLeading) continue
      if (await this.tried(() => member.process.whileUp(member.list.propose(text)))) this.acknowledged.push(text)
    }
  }

  private async read(): Promise<void> {
    while (!this.isOver) {
      await this.sleep(20)
      const member = this.someMember()
      if (member === undefined || !this.isUp(member)) continue
      const before = this.acknowledged.length
      const isThere = await this.tried(() => member.process.whileUp(member.raft.readBarrier() ?? Promise.resolve()))
      if (!isThere) continue
      this.reads++
      const items = new Set(member.list.items)
      const missed = this.acknowledged.slice(0, before).find((text) => !items.has(text))
      if (missed !== undefined) throw new Error(`${member.id} read without ${missed}, which was acknowledged before`)
    }
  }

  /** Whether it was done. */
  private async tried<T>(act: () => Promise<T | 'down'>): Promise<boolean> {
    try {
      if ((await act()) !== 'down') return true
      this.unknown++
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (error.code === 'OutcomeUnknown') this.unknown++
    }
    return false
  }

  private async disturb(): Promise<void> {
    const { group, random } = this
    const ids = this.newcomer === undefined ? this.ids : [...this.ids, this.newcomer]
    const id = ids[random.below(ids.length)] ?? ''
    const member = group.members.get(id)
    if (member === undefined) return this.start(id)
    const acts: readonly (() => void | Promise<void>)[] = [
      () => group.kill(id),
      () => group.crash(id),
      () => this.cutOff(id),
      () => this.cutOff(id),
      () => this.oneWay(id),
      () => this.checkpoint(member),
      () => this.checkpoint(member),
      () => this.moveLead(),
      () => this.fillDisk(member),
      () => this.wipe(id),
      () => this.beginChange(),
      () => {
        group.simulation.network.resetChance = random.below(2) * 0.02
      },
    ]
    await acts[random.below(acts.length)]?.()
  }

  /** Whoever is coming up already (a newcomer, begun by a change) is left to it. */
  private async start(id: string): Promise<void> {
    if (this.starting.has(id)) return
    this.starting.add(id)
    await this.comeUp(id).finally(() => this.starting.delete(id))
  }

  private async comeUp(id: string): Promise<void> {
    const expectExisting = this.wiped.has(id)
    const as = this.ids.includes(id) ? 'member' : 'stranger'
    this.past.push(await this.group.start(id, as, { onDamage: 'repair', expectExisting }))
  }

  private async wipe(id: string): Promise<void> {
    for (const each of this.wiped) {
      if (this.group.members.get(each)?.raft.status().mayVote === true) this.wiped.delete(each)
    }
    if (this.wiped.size > 0) return
    this.wiped.add(id)
    this.wipes++
    this.group.kill(id)
    await this.group.wipe(id)
    await this.start(id)
  }

  /** Meanwhile other things happen. */
  private beginChange(): void {
    this.changing ??= this.changeMembers().finally(() => {
      this.changing = undefined
    })
  }

  /** Takes in a newcomer, or lets it go. */
  private async changeMembers(): Promise<void> {
    const { leader } = this.group
    if (leader === undefined) return
    if (this.newcomer !== undefined) return this.letGo(leader)
    const id = `d${++this.newcomers}`
    this.newcomer = id
    await this.start(id)
    if (await this.tried(() => this.become(leader, [...this.ids, id]))) this.changes++
  }

  private async letGo(leader: GroupMember): Promise<void> {
    if (!(await this.tried(() => this.become(leader, this.ids)))) return
    this.changes++
    const { newcomer } = this
    this.newcomer = undefined
    if (newcomer !== undefined && this.group.members.has(newcomer)) this.group.kill(newcomer)
  }

  private become({ process, raft }: GroupMember, voters: readonly string[]): Promise<void | 'down'> {
    const addresses = Object.fromEntries(voters.map((id) => [id, simulatedAddress(id)]))
    return process.whileUp(raft.changeMembership({ voters, learners: [], addresses }))
  }

  private cutOff(id: string): void {
    const heal = this.group.isolate(id)
    this.group.simulation.clock.after(this.random.below(3_000), heal)
  }

  private oneWay(id: string): void {
    const to = this.ids[this.random.below(this.ids.length)] ?? ''
    const heal = this.group.block(id, to)
    this.group.simulation.clock.after(this.random.below(2_000), heal)
  }

  private async checkpoint(member: GroupMember): Promise<void> {
    await this.tried(() => member.process.whileUp(member.list.checkpoint()))
  }

  private async moveLead(): Promise<void> {
    const { leader } = this.group
    if (leader !== undefined) await this.tried(() => leader.process.whileUp(leader.raft.transferLeadership()))
  }

  private fillDisk({ machine }: GroupMember): void {
    const cancel = machine.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /segment|spare/, times: Infinity })
    this.group.simulation.clock.after(this.random.below(1_500), cancel)
  }

  private async makePeace(): Promise<void> {
    this.group.simulation.network.resetChance = 0
    await this.sleep(4_000)
    for (const id of this.ids) if (!this.group.members.has(id)) await this.start(id)
    if (this.newcomer !== undefined && !this.group.members.has(this.newcomer)) await this.start(this.newcomer)
    await this.changing
    for (let attempts = 0; this.newcomer !== undefined; attempts++) {
      if (attempts > 20) throw new Error(`${this.newcomer} cannot be let go`)
      await this.letGo(await this.group.elected())
      await this.sleep(200)
    }
    await this.group.elected()
  }

  /** Of any two members one has what the other has, and perhaps more. */
  private expectOneHistory(): void {
    const lists = [...this.group.members.values()].map(({ list }) => list.items)
    const longest = lists.toSorted((a, b) => b.length - a.length)[0] ?? []
    for (const list of lists) {
      const at = list.findIndex((item, i) => item !== longest[i])
      if (at >= 0) throw new Error(`two members differ at ${at}: ${list[at]} and ${longest[at]}`)
    }
  }

  private judge(): TrialResult {
    this.expectOneHistory()
    const items = this.group.member(this.ids[0] ?? '').list.items
    const present = new Set(items)
    if (present.size !== items.length) throw new Error('something was applied twice')
    const lost = this.acknowledged.find((text) => !present.has(text))
    if (lost !== undefined) throw new Error(`${lost} was acknowledged and is gone`)
    const leads = this.past.flatMap(({ id, list }) =>
      list.told.filter((line) => line.startsWith('lead')).map((line) => `${line} ${id}`),
    )
    const terms = new Set(leads.map((line) => line.split(' ')[1]))
    if (terms.size !== new Set(leads).size)
      throw new StoreError('Internal', `a term had two leaders: ${leads.join(', ')}`)
    const installs = this.past.reduce((sum, { list }) => sum + list.installs, 0)
    const { acknowledged, unknown, reads, wipes, changes } = this
    return { acknowledged: acknowledged.length, unknown, reads, terms: terms.size, installs, wipes, changes }
  }

  private someMember(): GroupMember | undefined {
    const members = [...this.group.members.values()]
    return this.random.chance(0.7) ? this.group.leader : members[this.random.below(members.length)]
  }

  private isUp(member: GroupMember): boolean {
    return this.group.members.get(member.id) === member
  }

  private sleep(meanMs: number): Promise<void> {
    return this.group.simulation.clock.sleep(this.random.below(2 * meanMs))
  }
}
