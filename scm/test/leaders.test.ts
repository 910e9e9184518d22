import { StoreError } from '@o3/common/errors'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BlockRange, ContainerId } from '../src/api/api.ts'
import type { ScmService } from '../src/module.ts'
import type { Fate } from '@o3/ratis/testing'
import { healthy, ids, withMembers } from './fixtures/three-members.ts'
import type { MemberId, ThreeMembers } from './fixtures/three-members.ts'

const allocation = { count: 8, replication: 'RATIS/ONE' } as const

const quiet = { term: undefined, commands: [] }
const code = (expected: string) => expect.objectContaining({ code: expected }) as Error

const allocate = async (scm: ScmService, requestId?: string): Promise<BlockRange> => {
  const [range] = await scm.allocateBlocks(allocation, requestId === undefined ? {} : { requestId })
  return range!
}

const openContainers = async (scm: ScmService): Promise<readonly ContainerId[]> => {
  const all = await scm.listContainers({ limit: 1_000 })
  return all.filter(({ state }) => state === 'OPEN').map(({ id }) => id)
}

describe('a member that follows', () => {
  test('takes note of datanodes, writes nothing, asks for nothing, and alarms nobody', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      expect(await members.register('dn', ['b', 'c'])).toEqual([quiet, quiet])
      for (let i = 0; i < 5; i++) expect(await members.beat('dn', ['b', 'c'], { done: [i] })).toEqual([quiet, quiet])
      expect(members.group.executed).toEqual([])
      expect(members.alarms).toEqual([])
    }))

  test('wants to know a datanode that it does not', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      const [fromLeader, fromFollower] = await members.beat('dn', ['a', 'b'])
      expect(fromLeader).toEqual({ term: 1, commands: [{ kind: 'register' }] })
      expect(fromFollower).toEqual({ term: undefined, commands: [{ kind: 'register' }] })
    }))

  const doors: readonly (readonly [string, (scm: ScmService) => Promise<unknown>])[] = [
    ['allocateBlocks', (scm) => scm.allocateBlocks(allocation)],
    ['deleteBlocks', (scm) => scm.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }])],
    ['deleteBlocks of nothing', (scm) => scm.deleteBlocks([])],
    ['locate', (scm) => scm.locate(1)],
    ['listNodes', (scm) => scm.listNodes()],
    ['listContainers', (scm) => scm.listContainers({ limit: 1 })],
    ['closeContainer', (scm) => scm.closeContainer(1)],
    ['summary', (scm) => scm.summary()],
    ['listPipelines', (scm) => scm.listPipelines()],
    ['closePipeline', (scm) => scm.closePipeline('pipeline-1')],
    ['containerInfo', (scm) => scm.containerInfo(1)],
    ['setOperational', (scm) => scm.setOperational({ datanode: 'dn', wanted: 'IN_SERVICE' })],
    ['safemode', (scm) => scm.safemode()],
    ['exitSafemode', (scm) => scm.exitSafemode()],
    ['deletedBlocks', (scm) => scm.deletedBlocks()],
  ]
  test.each(doors)('refuses %s, and names the leader when it knows it', (_, call) =>
    withMembers(async (members) => {
      await expect(call(members.at('b'))).rejects.toThrow(code('NotLeader'))
      members.group.elect('a')
      await expect(call(members.at('b'))).rejects.toMatchObject({ code: 'NotLeader', details: { leader: 'a' } })
    }),
  )

  test.each<readonly [string, (scm: ScmService, term: number) => Promise<unknown>]>([
    ['allocateBlocks', (scm, term) => scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' }, { term })],
    ['deleteBlocks', (scm, term) => scm.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }], { term })],
    ['closeContainer', (scm, term) => scm.closeContainer(1, { term })],
    ['closePipeline', (scm, term) => scm.closePipeline('pipeline-1', { term })],
    ['setOperational', (scm, term) => scm.setOperational({ datanode: 'dn', wanted: 'IN_SERVICE' }, { term })],
  ])('refuses %s when it is meant for another term, and changes nothing', (_, call) =>
    withMembers(async (members) => {
      for (const id of ['a', 'b', 'a']) members.group.elect(id)
      const { term } = members.group
      const refused = { code: 'NotLeader', details: { leader: 'a', term } }
      for (const other of [0, term - 2, term + 1]) {
        await expect(call(members.at('a'), other)).rejects.toMatchObject(refused)
      }
      expect(members.group.executed).toEqual([])
    }),
  )

  test('starts without a leader, and says where it stands', () =>
    withMembers(async (members) => {
      await members.at('b').start()
      expect(members.at('b').standing()).toEqual({ kind: 'seeks', term: 0 })
      members.group.elect('a')
      expect(members.at('b').standing()).toEqual({ kind: 'follows', term: 1, leader: 'a' })
      expect(members.at('a').standing()).toEqual({ kind: 'leads', term: 1 })
    }))
})

describe('a new leader', () => {
  test('allocates from the containers that are open, before it has heard anything', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const before = await allocate(members.at('a'))
      members.group.elect('b')
      const after = [await allocate(members.at('b')), await allocate(members.at('b'))]
      expect(new Set(after.map(({ container }) => container))).toEqual(new Set([1, 2]))
      expect(await openContainers(members.at('b'))).toEqual([1, 2])
      const again = after.find(({ container }) => container === before.container)
      expect(again?.firstLocal).toBe(before.firstLocal + before.count)
      expect(members.alarms).toEqual([])
    }))

  test('begins with what datanodes reported while it followed, and gives its commands at their next heartbeat', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const { container } = await allocate(members.at('a'))
      await members.at('a').closeContainer(container)
      const report = { id: container, generation: 1, usedBytes: 9, liveBytes: 9, blockCount: 1 }
      await members.beat('dn', ['b', 'c'], { containers: [{ ...report, state: 'OPEN' }] })
      members.group.elect('b')
      const close = { kind: 'close-container', container }
      expect(await members.beat('dn', ['b', 'c'])).toEqual([{ term: 2, commands: [close] }, quiet])
      const listed = await members.at('b').listContainers({ limit: 10 })
      expect(listed.find(({ id }) => id === container)).toMatchObject({ state: 'CLOSING', usedBytes: 9 })
    }))

  test('hands out nothing of a container that is closed while it takes up those that are open', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      // At every moment of the adoption.
      for (let ticks = 0; ticks < 60; ticks++) {
        await allocate(members.at('a'))
        const open = await openContainers(members.at('a'))
        members.group.elect('a')
        const first = allocate(members.at('a'))
        for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
        await Promise.all(open.map((container) => members.at('a').closeContainer(container)))
        await first
        for (let i = 0; i < 2; i++) expect(open).not.toContain((await allocate(members.at('a'))).container)
      }
    }))

  test('writes down a datanode that the old leader never heard of, at its first heartbeat', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn', ['b'])
      members.group.elect('b')
      await expect(allocate(members.at('b'))).rejects.toThrow(code('Unavailable'))
      await members.beat('dn', ['b'])
      const { container } = await allocate(members.at('b'))
      expect((await members.at('b').locate(container)).replicas).toEqual([{ datanode: 'dn', address: 'dn:1' }])
      expect(members.alarms).toEqual([])
    }))

  test('writes down an address that the old leader was not told, and nothing twice', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const { container } = await allocate(members.at('a'))
      await members.register('dn', ['b', 'c'], 'moved:1')
      members.group.elect('b')
      for (let i = 0; i < 3; i++) await members.beat('dn')
      expect((await members.at('b').locate(container)).replicas).toEqual([{ datanode: 'dn', address: 'moved:1' }])
      const registrations = members.group.executed.filter(({ command }) => command.kind === 'register-node')
      expect(registrations.map(({ id }) => id)).toEqual(['a', 'b'])
    }))

  test('writes down an address again that it had written in an earlier term, for it has changed twice since', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const { container } = await allocate(members.at('a'))
      members.group.elect('b')
      await members.register('dn', ['b', 'c'], 'moved:1')
      members.group.elect('a')
      await members.register('dn')
      expect((await members.at('a').locate(container)).replicas).toEqual([{ datanode: 'dn', address: 'dn:1' }])
    }))

  test('does not overwrite an address by an older one that it heard of', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      await members.register('dn', ['a'], 'moved:1')
      members.group.elect('b')
      const { container } = await allocate(members.at('b'))
      expect((await members.at('b').locate(container)).replicas).toEqual([{ datanode: 'dn', address: 'moved:1' }])
    }))

  test('that was started anew knows a datanode within one heartbeat', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      await allocate(members.at('a'))
      members.group.depose()
      members.restart('b')
      members.group.elect('b')
      await expect(allocate(members.at('b'))).rejects.toThrow(code('Unavailable'))
      const [answer] = await members.beat('dn', ['b'])
      expect(answer?.commands).toEqual([{ kind: 'register' }])
      await members.register('dn', ['b'])
      expect((await allocate(members.at('b'))).container).toBeLessThanOrEqual(2)
    }))
})

describe('a leader that is deposed', () => {
  test('in the middle of an allocation: the repetition at the next leader gets blocks once', () =>
    withMembers(async (members) => {
      for (const fate of ['applied', 'dropped'] as const) {
        members.group.elect('a')
        await members.register('dn')
        const first = await allocate(members.at('a'))
        members.group.intercept = (_, { kind }) => {
          if (kind !== 'allocate-blocks') return undefined
          members.group.intercept = undefined
          members.group.elect('b')
          return fate
        }
        await expect(allocate(members.at('a'), fate)).rejects.toThrow(code('OutcomeUnknown'))
        const repeated = await allocate(members.at('b'), fate)
        expect(await allocate(members.at('b'), fate)).toEqual(repeated)
        const next = await allocate(members.at('b'))
        const distinct = new Set([first, repeated, next].map((range) => `${range.container} ${range.firstLocal}`))
        expect(distinct.size).toBe(3)
      }
      expect(members.alarms).toEqual([])
    }))

  test('while it opens containers: nobody is alarmed, and what was opened is used by whoever leads', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      members.group.intercept = (_, { kind }) => {
        if (kind === 'create-container') members.group.depose()
        return 'applied'
      }
      await expect(allocate(members.at('a'))).rejects.toThrow(code('OutcomeUnknown'))
      members.group.intercept = undefined
      members.group.elect('a')
      const used = new Set<ContainerId>()
      for (let i = 0; i < 6; i++) used.add((await allocate(members.at('a'))).container)
      expect(used).toEqual(new Set([1, 2]))
      expect(members.alarms).toEqual([])
    }))

  test('hands out nothing of what its successor closed, also when it leads again', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const before = [await allocate(members.at('a')), await allocate(members.at('a'))].map((range) => range.container)
      members.group.elect('b')
      for (const container of before) await members.at('b').closeContainer(container)
      const opened = await allocate(members.at('b'))
      members.group.elect('a')
      const attempts = members.group.executed.length
      const after = [await allocate(members.at('a')), await allocate(members.at('a')), await allocate(members.at('a'))]
      expect(after.map(({ container }) => container)).toContain(opened.container)
      for (const { container } of after) expect(before).not.toContain(container)
      // It did not even try them.
      const tried = members.group.executed.slice(attempts).flatMap(({ command }) => {
        return command.kind === 'allocate-blocks' ? [command.container] : []
      })
      for (const container of tried) expect(before).not.toContain(container)
    }))

  test('and does not know it, hands out nothing, asks for nothing, shows nothing', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const { container } = await allocate(members.at('a'))
      members.group.elect('b', 'unaware')
      await members.at('b').closeContainer(container)
      const old = members.at('a')
      expect(old.standing()).toEqual({ kind: 'leads', term: 1 })
      const refused = [allocate(old), old.locate(container), old.summary(), old.closeContainer(2)].map((call) =>
        expect(call).rejects.toMatchObject({ code: expect.stringMatching(/^(NotLeader|OutcomeUnknown)$/) as string }),
      )
      const answer = old.heartbeat({
        id: 'dn',
        full: false,
        disks: [healthy],
        containers: [{ id: container, state: 'OPEN', generation: 1, usedBytes: 0, liveBytes: 0, blockCount: 0 }],
        deletedTransactions: [1],
      })
      await members.env.clock.sleep(1_000)
      members.group.enlighten('a')
      await Promise.all(refused)
      expect(await answer).toEqual(quiet)
      expect(members.alarms).toEqual([])
    }))

  test('between its rows and its answer, answers nothing', () =>
    withMembers(async (members) => {
      members.group.elect('a')
      await members.register('dn')
      const range = await allocate(members.at('a'))
      await members.at('a').deleteBlocks([range])
      members.group.intercept = (_, { kind }) => {
        if (kind === 'acknowledge-deletions') members.group.elect('b')
        return 'dropped'
      }
      expect(await members.beat('dn', ['a'], { done: [1] })).toEqual([quiet])
      members.group.intercept = undefined
      // It was not acknowledged, so it is asked for again by the successor.
      const deletion = { kind: 'delete-blocks', transaction: 1, blocks: [range] }
      expect(await members.beat('dn', ['b'])).toEqual([{ term: 2, commands: [deletion] }])
      expect(await members.beat('dn', ['b'], { done: [1] })).toEqual([{ term: 2, commands: [] }])
    }))
})

test('a datanode that joins gets containers of its own while others are written to', () =>
  withMembers(async (members) => {
    members.group.elect('a')
    await members.register('dn1')
    await allocate(members.at('a'))
    await members.register('dn2')
    const used = new Set<ContainerId>()
    for (let i = 0; i < 12; i++) used.add((await allocate(members.at('a'))).container)
    expect(used.size).toBe(4)
  }))

// ------------------------------------------------------------------------------------------------ random programs

type Step =
  | { readonly kind: 'elect'; readonly member: MemberId; readonly before: 'aware' | 'unaware' }
  | { readonly kind: 'enlighten'; readonly member: MemberId }
  | { readonly kind: 'allocate'; readonly member: MemberId }
  | { readonly kind: 'close'; readonly nth: number }
  | { readonly kind: 'beat'; readonly where: readonly MemberId[] }
  | { readonly kind: 'restart'; readonly member: MemberId }
  | {
      readonly kind: 'depose-within'
      readonly command: 'allocate-blocks' | 'create-container'
      readonly next: MemberId
      readonly fate: Fate
    }

const member = fc.constantFrom(...ids)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('elect'), member, before: fc.constantFrom('aware', 'unaware') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('enlighten'), member }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('allocate'), member }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close'), nth: fc.nat({ max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('beat'), where: fc.subarray([...ids]) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart'), member }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('depose-within'),
      command: fc.constantFrom('allocate-blocks', 'create-container'),
      next: member,
      fate: fc.constantFrom('applied', 'dropped'),
    }),
  },
)

/** What a caller may be told when leadership moves under it, no datanode is known yet, or there is no such container. */
const mayFail = /^(NotLeader|OutcomeUnknown|Unavailable|ContainerNotFound)$/

class Program {
  private readonly members: ThreeMembers
  private readonly handedOut = new Set<string>()
  private readonly closed = new Set<ContainerId>()
  private readonly waiting: Promise<void>[] = []

  constructor(members: ThreeMembers) {
    this.members = members
  }

  async run(steps: readonly { readonly what: Step; readonly patienceMs: number }[]): Promise<void> {
    const { members } = this
    members.group.elect('a')
    await members.register('dn')
    for (const { what, patienceMs } of steps) {
      const done = this.take(what)
      this.waiting.push(done)
      // The next may begin while this is under way; what was asked of a member that is cut off waits until it knows.
      await Promise.race([done, members.env.clock.sleep(patienceMs)])
    }
    for (const id of ids) members.group.enlighten(id)
    members.group.intercept = undefined
    await Promise.all(this.waiting)
    members.group.elect('c')
    await this.beat(ids)
    await this.allocate('c')
    expect(await members.at('c').allocateBlocks(allocation)).toHaveLength(1)
    expect(members.alarms).toEqual([])
  }

  private async take(each: Step): Promise<void> {
    const { group } = this.members
    switch (each.kind) {
      case 'elect':
        return group.elect(each.member, each.before)
      case 'enlighten':
        return group.isLeading(each.member) ? undefined : group.enlighten(each.member)
      case 'allocate':
        return this.allocate(each.member)
      case 'close':
        return this.close(each.nth + 1)
      case 'beat':
        return this.beat(each.where)
      case 'restart':
        return void this.members.restart(each.member)
      case 'depose-within':
        group.intercept = (_, { kind }) => {
          if (kind !== each.command) return undefined
          group.intercept = undefined
          group.elect(each.next)
          return each.fate
        }
    }
  }

  private async allocate(id: MemberId): Promise<void> {
    const closedBefore = new Set(this.closed)
    await tolerating(async () => {
      const { container, firstLocal, count } = await allocate(this.members.at(id))
      expect(closedBefore.has(container)).toBe(false)
      for (let local = firstLocal; local < firstLocal + count; local++) {
        const block = `${container}/${local}`
        expect(this.handedOut.has(block)).toBe(false)
        this.handedOut.add(block)
      }
    })
  }

  private async close(container: ContainerId): Promise<void> {
    const leader = ids.find((id) => this.members.group.isLeading(id))
    if (leader === undefined) return
    await tolerating(async () => {
      await this.members.at(leader).closeContainer(container)
      this.closed.add(container)
    })
  }

  private async beat(where: readonly MemberId[]): Promise<void> {
    await tolerating(async () => {
      const answers = await this.members.beat('dn', where)
      const strangers = where.filter((_, n) => answers[n]?.commands.some(({ kind }) => kind === 'register') === true)
      await this.members.register('dn', strangers)
    })
  }
}

async function tolerating(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StoreError && mayFail.test(error.code))) throw error
  }
}

test('whoever leads, no block is handed out twice, and none of a container whose close was answered', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ what: step, patienceMs: fc.constantFrom(0, 1, 20) }), { maxLength: 60 }),
      (steps) => withMembers((members) => new Program(members).run(steps)),
    ),
    { numRuns: 150 },
  )
})
