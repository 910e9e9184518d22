import { expect } from 'vitest'
import fc from 'fast-check'
import { isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { NodeId } from '../../src/core/entry.ts'
import { installSites, storeSites } from '../../src/store/sites.ts'
import { counters, type CounterCommand } from './counter-rules.ts'
import { RaftGroup } from './raft-group.ts'
import { command, name } from './store-steps.ts'
import { changes, Witness, type Asked } from './witness.ts'

export type GroupStep =
  /** Each under a request id of its own, at whoever leads, without waiting. */
  | { readonly kind: 'execute'; readonly commands: readonly CounterCommand[] }
  /** One after the other, an entry each: the log grows, and whoever is away falls behind it. */
  | { readonly kind: 'grow'; readonly entries: number }
  | { readonly kind: 'settle' }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'repeat'; readonly nth: number }
  | { readonly kind: 'get'; readonly member: NodeId; readonly name: string }
  | { readonly kind: 'view'; readonly member: NodeId }
  | { readonly kind: 'checkpoint'; readonly member: NodeId }
  | { readonly kind: 'down'; readonly member: NodeId; readonly how: 'crash' | 'kill' }
  | { readonly kind: 'trap'; readonly member: NodeId; readonly how: 'crash' | 'kill'; readonly site: string }
  | { readonly kind: 'up'; readonly member: NodeId }
  | { readonly kind: 'cut-off'; readonly member: NodeId }
  /** Cuts the leader off while commands go on coming, and another one leads meanwhile. */
  | { readonly kind: 'depose'; readonly commands: readonly CounterCommand[]; readonly everyMs: number }
  | { readonly kind: 'heal' }

const member = fc.constantFrom<NodeId>('a', 'b', 'c')
const how = fc.constantFrom('crash' as const, 'kill' as const)

/** Programs for a group of three: bursts of commands, and machines and links that come and go. */
export const groupSteps: fc.Arbitrary<readonly GroupStep[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.array(command, { minLength: 1, maxLength: 6 }).map((commands): GroupStep => {
        return { kind: 'execute', commands }
      }),
    },
    { weight: 2, arbitrary: fc.integer({ min: 8, max: 24 }).map((entries): GroupStep => ({ kind: 'grow', entries })) },
    { weight: 2, arbitrary: fc.constant<GroupStep>({ kind: 'settle' }) },
    {
      weight: 5,
      arbitrary: fc.constantFrom(0, 1, 5, 20, 100, 700).map((ms): GroupStep => ({ kind: 'pause', ms })),
    },
    { weight: 1, arbitrary: fc.nat(50).map((nth): GroupStep => ({ kind: 'repeat', nth })) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('get' as const), member, name }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('view' as const, 'checkpoint' as const), member }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('down' as const), member, how }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('trap' as const),
        member,
        how,
        site: fc.constantFrom<string>(...storeSites, ...installSites),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('up' as const), member }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut-off' as const), member }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('depose' as const),
        commands: fc.array(command, { minLength: 8, maxLength: 24 }),
        everyMs: fc.constantFrom(3, 20, 80),
      }),
    },
    { weight: 2, arbitrary: fc.constant<GroupStep>({ kind: 'heal' }) },
  ),
  { maxLength: 24, size: 'max' },
)

const patienceMs = 60_000

/** What a client tries again. */
const transient = [
  'NotLeader',
  'OutcomeUnknown',
  'Busy',
  'Closed',
  'DeadlineExceeded',
  'ConcurrentChange',
  'VolumeFailed',
] as const

/** Three stores over Raft under random commands, while machines and links come and go; see `Witness` for what must hold. */
export class GroupTrial {
  readonly group: RaftGroup
  private readonly witness = new Witness()
  private pending: Promise<void>[] = []
  private isOver = false
  private attempts = 0

  constructor(seed: string | number) {
    this.group = new RaftGroup({
      seed,
      kvMaxMs: 6,
      // A few commands fill the log that a member may lag behind.
      store: { cacheBytes: 1000, checkpoint: { everyLogBytes: 24 * 1024, keepLogBytes: 0 } },
    })
  }

  run(steps: readonly GroupStep[]): Promise<void> {
    const { group, witness } = this
    const { stores } = group
    return group.run(async () => {
      for (const step of steps) await this.step(step)
      group.isolated.clear()
      for (const id of stores.ids) {
        stores.node(id).onSite = () => 'go-on'
        await this.up(id)
      }
      await this.settle()
      for (const id of stores.ids) await this.view(id)
      // A client that gave up for good would leave the last view without its end.
      for (const asked of witness.asked) expect(asked.refused || asked.answer !== undefined).toBe(true)
      witness.audit()
      await this.expectSameRows()
      this.isOver = true
    })
  }

  private async step(step: GroupStep): Promise<void> {
    const { stores, isolated } = this.group
    switch (step.kind) {
      case 'execute':
        for (const asked of step.commands.map((each) => this.witness.ask(each))) this.pending.push(this.send(asked))
        return
      case 'grow':
        return this.grow(step.entries)
      case 'settle':
        return this.settleWithin(2000)
      case 'pause':
        return stores.simulation.clock.sleep(step.ms)
      case 'repeat':
        return this.repeat(step.nth)
      case 'get':
        this.pending.push(this.get(step.member, step.name))
        return
      case 'view':
        this.pending.push(this.view(step.member))
        return
      case 'checkpoint':
        this.pending.push(this.checkpoint(step.member))
        return
      case 'down':
        stores.node(step.member)[step.how]()
        return
      case 'trap': {
        const node = stores.node(step.member)
        node.onSite = (site) => {
          if (site !== step.site) return 'go-on'
          node.onSite = () => 'go-on'
          return step.how
        }
        return
      }
      case 'up':
        return this.up(step.member)
      case 'cut-off':
        // Of three, two have to hear each other.
        isolated.clear()
        isolated.add(step.member)
        return
      case 'depose':
        return this.depose(step)
      case 'heal':
        isolated.clear()
    }
  }

  private async up(id: NodeId): Promise<void> {
    const { stores } = this.group
    while (!stores.node(id).isUp) await stores.open(id)
  }

  private async grow(entries: number): Promise<void> {
    for (let i = 0; i < entries; i++) {
      this.pending.push(this.send(this.witness.ask({ kind: 'add', name: 'grown', amount: 1 })))
      await this.group.stores.simulation.clock.sleep(8)
    }
  }

  private async depose({ commands, everyMs }: Extract<GroupStep, { kind: 'depose' }>): Promise<void> {
    const { isolated, leader, stores } = this.group
    if (leader === undefined) return
    isolated.clear()
    isolated.add(leader)
    for (const each of commands) {
      this.pending.push(this.send(this.witness.ask(each)))
      await stores.simulation.clock.sleep(everyMs)
    }
  }

  private async send(asked: Asked): Promise<void> {
    const { command: wanted, requestId } = asked
    await this.insist(async () => {
      const { leaders, stores } = this.group
      const leader = leaders[this.attempts++ % Math.max(1, leaders.length)]
      if (leader === undefined) return 'down'
      try {
        const answer = await stores.execute(leader, wanted, { requestId })
        if (answer !== 'down') this.witness.answered(asked, answer)
        return answer === 'down' ? 'down' : 'done'
      } catch (error) {
        if (!isStoreError(error, 'PreconditionFailed', 'KeyNotFound')) throw error
        this.witness.refused(asked, error.details['have'])
        return 'done'
      }
    })
  }

  private async repeat(nth: number): Promise<void> {
    const { asked } = this.witness
    const answered = asked.filter(({ answer, command: done }) => answer !== undefined && changes(done))
    const again = answered[nth % Math.max(1, answered.length)]
    if (again !== undefined) this.pending.push(this.send(again))
    return Promise.resolve()
  }

  private get(id: NodeId, rowName: string): Promise<void> {
    return this.insist(async () => {
      const { stores } = this.group
      if (!stores.isOpen(id)) return 'down'
      const atLeast = this.witness.answeredUpTo
      const row = await stores.whileUp(id, Promise.resolve(stores.store(id).get(counters, rowName)))
      if (row !== 'down') this.witness.sawRow(rowName, atLeast, row)
      return row === 'down' ? 'down' : 'done'
    })
  }

  private view(id: NodeId): Promise<void> {
    return this.insist(async () => {
      const { stores } = this.group
      if (!stores.isOpen(id)) return 'down'
      const atLeast = this.witness.answeredUpTo
      const rows = await stores.whileUp(
        id,
        stores.store(id).read(async (view) => {
          const cursor = view.cursor(counters, { from: '' })
          const found = await cursor.next(1000)
          await cursor.close()
          return new Map(found.map(({ key, value }) => [key, value]))
        }),
      )
      if (rows !== 'down') this.witness.sawAll(rows, atLeast)
      return rows === 'down' ? 'down' : 'done'
    })
  }

  private checkpoint(id: NodeId): Promise<void> {
    return this.insist(async () => {
      const { stores } = this.group
      if (!stores.isOpen(id)) return 'down'
      return (await stores.whileUp(id, stores.store(id).checkpoint())) === 'down' ? 'down' : 'done'
    })
  }

  /** Until it is done, as long as the trial runs. */
  private async insist(attempt: () => Promise<'done' | 'down'>): Promise<void> {
    const { clock } = this.group.stores.simulation
    while (!this.isOver) {
      try {
        if ((await attempt()) === 'done') return
      } catch (error) {
        if (!isStoreError(error, ...transient)) throw error
      }
      await clock.sleep(15)
    }
  }

  /** All machines are up and hear each other: whoever waits must be answered. */
  private async settle(): Promise<void> {
    const { clock } = this.group.stores.simulation
    const patience = withinDeadline(clock, patienceMs, 'answering everybody', Promise.all(this.pending.splice(0)))
    await patience
  }

  /** In a group that may have no majority just now. */
  private async settleWithin(ms: number): Promise<void> {
    await Promise.race([Promise.all(this.pending), this.group.stores.simulation.clock.sleep(ms)])
  }

  private async expectSameRows(): Promise<void> {
    const { stores } = this.group
    const all = await Promise.all(
      stores.ids.map((id) =>
        stores.store(id).read(async (view) => {
          const cursor = view.cursor(counters, { from: '' })
          const rows = await cursor.next(1000)
          await cursor.close()
          return rows
        }),
      ),
    )
    expect(all[1]).toEqual(all[0])
    expect(all[2]).toEqual(all[0])
  }
}
