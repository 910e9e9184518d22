import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { Lifecycle } from '@o3/common/lifecycle'
import { nullLogger } from '@o3/common/log'
import { noConfiguration } from '@o3/ratis/node'
import { expect, test } from 'vitest'
import { watchMember } from '../../src/roles/member-watch.ts'
import type { AskMember, MemberWatchParts } from '../../src/roles/member-watch.ts'

type OtherMember = ReturnType<MemberWatchParts['consensus']['status']>['members'][number]

/** om1, as its watch sees it. */
class Member {
  readonly id = 'om1'
  readonly configuration = { ...noConfiguration, voters: ['om1', 'om2', 'om3'] }
  readonly handedTo: (string | undefined)[] = []
  leader: string | undefined = 'om1'
  mayPropose = true
  mayVote = true
  others: readonly OtherMember[] = []

  status() {
    const { mayVote, others } = this
    return { mayVote, members: others }
  }

  transferLeadership(to?: string): Promise<void> {
    this.handedTo.push(to)
    this.leader = to
    this.mayPropose = false
    return Promise.resolve()
  }
}

type Fitness = Awaited<ReturnType<AskMember>>

const fit: Fitness = { outOfSpace: false, isDamaged: false }

interface Scene {
  readonly member: Member
  readonly disk: { isFull: boolean; damage?: StoreError }
  /** What the others say of themselves; those without a word do not answer. */
  readonly others: Record<string, Fitness>
  readonly problem: () => string | undefined
  sleep(ms: number): Promise<void>
}

function watched(run: (scene: Scene) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'member-watch' })
  const { clock } = simulation
  return simulation.run(async () => {
    const member = new Member()
    const disk: Scene['disk'] = { isFull: false }
    const others: Scene['others'] = {}
    const lifecycle = new Lifecycle({ clock, log: nullLogger })
    const problem = await watchMember({
      env: simulation.node('om1').boot(),
      log: nullLogger,
      lifecycle,
      name: 'om',
      consensus: member,
      store: { status: () => ({ outOfSpace: disk.isFull }) },
      damage: () => disk.damage,
      ask: (id) => {
        const said = others[id]
        if (said !== undefined) return Promise.resolve(said)
        return Promise.reject(new StoreError('Unavailable', `${id} does not answer`))
      },
    })
    await run({ member, disk, others, problem, sleep: (ms) => clock.sleep(ms) })
    expect(await lifecycle.stop()).toEqual([])
  })
}

const follower = (id: string, over: Partial<OtherMember> = {}): OtherMember => {
  return { id, isActive: true, mayVote: true, matchIndex: 10, ...over }
}

test('a leader whose disk is full hands over to a member with room', () =>
  watched(async ({ member, disk, others, problem, sleep }) => {
    member.others = [follower('om2'), follower('om3', { matchIndex: 9 })]
    Object.assign(others, { om2: { ...fit, outOfSpace: true }, om3: fit })
    await sleep(5_000)
    expect(member.handedTo).toEqual([])
    expect(problem()).toBeUndefined()
    disk.isFull = true
    await sleep(2_000)
    expect(member.handedTo).toEqual(['om3'])
    expect(problem()).toMatch(/^its disk is full/)
  }))

test.each<readonly [string, readonly OtherMember[], Scene['others']]>([
  ['has no room', [follower('om2')], { om2: { ...fit, outOfSpace: true } }],
  ['has damaged rows', [follower('om2')], { om2: { ...fit, isDamaged: true } }],
  ['is of a release that does not tell', [follower('om2')], { om2: {} }],
  ['does not answer', [follower('om2')], {}],
  ['is not heard', [follower('om2', { isActive: false })], { om2: fit }],
  ['has no vote', [follower('om3', { mayVote: false })], { om3: fit }],
  ['is a learner', [follower('om4')], { om4: fit }],
])('nobody leads instead who %s', (_, members, said) =>
  watched(async ({ member, disk, others, sleep }) => {
    member.others = members
    Object.assign(others, said)
    disk.isFull = true
    await sleep(10_000)
    expect(member.handedTo).toEqual([])
  }),
)

test('a leader whose rows are damaged hands over, and says what to do', () =>
  watched(async ({ member, disk, others, problem, sleep }) => {
    member.others = [follower('om2')]
    others['om2'] = fit
    disk.damage = new StoreError('Damaged', 'a record failed its checksum')
    await sleep(2_000)
    expect(member.handedTo).toEqual(['om2'])
    expect(problem()).toBe(
      'its rows are damaged (a record failed its checksum); stop it, and give it an empty directory',
    )
  }))

test('a member without a leader says so when that lasts', () =>
  watched(async ({ member, problem, sleep }) => {
    member.mayPropose = false
    member.leader = undefined
    await sleep(4_000)
    expect(problem()).toBeUndefined()
    await sleep(6_000)
    expect(problem()).toMatch(/^no leader for (9|10|11) s: a majority of om1, om2, om3 must be up/)
    member.leader = 'om2'
    await sleep(2_000)
    expect(problem()).toBeUndefined()
  }))

test('a member without a vote says so', () =>
  watched(async ({ member, problem, sleep }) => {
    member.mayVote = false
    member.leader = 'om2'
    member.mayPropose = false
    await sleep(1_000)
    expect(problem()).toMatch(/may not vote before the others have taught it$/)
    member.leader = undefined
    await sleep(20_000)
    expect(problem()).toMatch(/no leader has been heard for \d+ s$/)
  }))
