import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/log/log.ts'
import { keyClient, keyServer } from '../../src/rpc/rpc.ts'
import { follows, leadsIn, says, silent, withGroup } from './group-world.ts'
import type { GroupWorld } from './group-world.ts'
import { bytes } from './worlds.ts'

/** How long `act` took, in virtual milliseconds. */
async function timed({ simulation }: GroupWorld, act: () => Promise<unknown>): Promise<number> {
  const beganMs = simulation.nowMs
  await act()
  return simulation.nowMs - beganMs
}

describe('who leads', () => {
  test('is found, and asked at once from then on', () =>
    withGroup(async ({ members: [a, b, c], ask, tries }) => {
      a.behaviour = follows()
      c.behaviour = follows()
      expect(await ask('1')).toBe('b')
      const found = tries()
      expect(found).toBeLessThanOrEqual(3)
      for (let n = 0; n < 10; n++) expect(await ask(`more ${n}`)).toBe('b')
      expect(tries()).toBe(found + 10)
      expect(b.asked).toContain('more 9')
    }))

  test('moves, and the hint is followed', () =>
    withGroup(async ({ members: [a, b, c], ask, tries }) => {
      for (const member of [a, b, c]) member.behaviour = follows({ leader: 'a' })
      a.behaviour = a.leads
      await ask('before')
      for (const member of [a, b, c]) member.behaviour = follows({ leader: 'c' })
      c.behaviour = c.leads
      const before = tries()
      expect(await ask('after')).toBe('c')
      expect(tries()).toBe(before + 2)
      expect(await ask('and then')).toBe('c')
      expect(tries()).toBe(before + 3)
    }))

  test.each([
    ['one that does not lead', { leader: 'b' }],
    ['itself', { leader: 'a' }],
    ['nobody we know', { leader: 'z' }],
    ['an address that is none', { leader: 'z', address: '!' }],
    ['an address where nobody is', { leader: 'z', address: 'a:1' }],
  ])('is found though a hint names %s', (_what, hint) =>
    withGroup(async (world) => {
      const {
        members: [a, b],
        ask,
      } = world
      a.behaviour = follows(hint)
      b.behaviour = follows()
      expect(await timed(world, async () => expect(await ask('x')).toBe('c'))).toBeLessThan(100)
    }),
  )

  test('is found though hints lead in a circle', () =>
    withGroup(async (world) => {
      const {
        members: [a, b],
        ask,
        tries,
      } = world
      a.behaviour = follows({ leader: 'b' })
      b.behaviour = follows({ leader: 'a' })
      expect(await timed(world, async () => expect(await ask('x')).toBe('c'))).toBeLessThan(100)
      expect(tries()).toBeLessThanOrEqual(3)
    }))

  test('is a member that only the hint knows', () =>
    withGroup(
      async ({ members: [a, b, c], ask }) => {
        a.behaviour = follows({ leader: 'c', address: c.address })
        b.behaviour = follows()
        expect(await ask('x')).toBe('c')
        expect(b.asked).toEqual([])
      },
      { client: { members: [{ id: 'a', address: { kind: 'tcp', host: 'a', port: 7000 } }] } },
    ))

  test('is waited for while they elect', () =>
    withGroup(async (world) => {
      const { simulation, members, ask, tries } = world
      for (const member of members) member.behaviour = follows()
      const elected = simulation.clock.sleep(1_200).then(() => {
        members[1].behaviour = members[1].leads
      })
      const tookMs = await timed(world, async () => expect(await ask('x')).toBe('b'))
      await elected
      expect(tookMs).toBeGreaterThan(1_100)
      expect(tookMs).toBeLessThan(1_600)
      // With pauses that grow: some rounds of three, and not one after the other.
      expect(tries()).toBeLessThan(45)
    }))

  test('is looked for by one call, for all that wait', () =>
    withGroup(async ({ simulation, members, ask, tries }) => {
      for (const member of members) member.behaviour = follows()
      const elected = simulation.clock.sleep(1_000).then(() => {
        members[2].behaviour = members[2].leads
      })
      const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(`${n}`)))
      await elected
      expect(new Set(answers)).toEqual(new Set(['c']))
      expect(tries()).toBeLessThan(200 + 45)
    }))

  test('is not waited for behind a call that takes its time', () =>
    withGroup(async (world) => {
      const {
        members: [a, b, c],
        ask,
      } = world
      b.behaviour = follows({ leader: 'a' })
      c.behaviour = follows({ leader: 'a' })
      a.behaviour = (call) => (call.payload.length > 1 ? silent(call) : a.leads(call))
      const slow = ask('long', { tryMs: 20_000, deadlineMs: 20_000 }).catch(() => 'late')
      expect(await timed(world, async () => expect(await ask('x')).toBe('a'))).toBeLessThan(600)
      expect(await slow).toBe('late')
    }))
})

describe('the term that a change is meant for', () => {
  /** `a` leads, and the others know. */
  const led = ({ members: [a, b, c] }: GroupWorld, term: number): void => {
    a.behaviour = leadsIn('a', term)
    for (const member of [b, c]) member.behaviour = follows({ leader: 'a', term })
  }

  test('is learned from the first refusal, and named from then on', () =>
    withGroup(async (world) => {
      const { members, change, tries } = world
      const [a] = members
      led(world, 6)
      expect(await timed(world, async () => expect(await change('x')).toBe('a'))).toBeLessThan(9)
      expect(a.asked.at(-1)).toBe('6/x')
      expect(tries()).toBe(2)
      for (let n = 0; n < 5; n++) await change(`${n}`)
      expect(tries()).toBe(7)
      expect(a.asked.slice(-5)).toEqual(['6/0', '6/1', '6/2', '6/3', '6/4'])
    }))

  test('is made anew when the same member leads again: one round trip, and no pause', () =>
    withGroup(async (world) => {
      const { members, change, tries } = world
      led(world, 6)
      await change('before')
      for (const term of [8, 11, 12]) {
        led(world, term)
        const before = tries()
        expect(
          await timed(world, async () => expect(await change('x', { repeat: 'if-not-begun' })).toBe('a')),
        ).toBeLessThan(9)
        expect(tries()).toBe(before + 2)
        expect(members[0].asked.at(-1)).toBe(`${term}/x`)
      }
    }))

  test('moves with the leader', () =>
    withGroup(async (world) => {
      const { members, change, tries } = world
      const [a, b] = members
      led(world, 6)
      await change('before')
      a.behaviour = follows({ leader: 'b', term: 7 })
      b.behaviour = leadsIn('b', 7)
      const before = tries()
      expect(await timed(world, async () => expect(await change('x')).toBe('b'))).toBeLessThan(9)
      // The old leader has told it already.
      expect(tries()).toBe(before + 2)
      expect(b.asked.at(-1)).toBe('7/x')
    }))

  test('is made anew for all that are under way', () =>
    withGroup(async (world) => {
      const { change, tries } = world
      led(world, 6)
      await change('before')
      led(world, 8)
      const before = tries()
      const changes = Array.from({ length: 100 }, (_, n) => change(`${n}`))
      expect(
        await timed(world, async () => expect(new Set(await Promise.all(changes))).toEqual(new Set(['a']))),
      ).toBeLessThan(20)
      expect(tries()).toBe(before + 200)
    }))

  test('never goes down: who leads in an earlier one does not know yet that it is over', () =>
    withGroup(async (world) => {
      const { members, change, simulation } = world
      const [a, b, c] = members
      a.behaviour = follows({ leader: 'b', term: 9 })
      b.behaviour = leadsIn('b', 9)
      c.behaviour = leadsIn('c', 6)
      await change('learns of 9')
      b.behaviour = follows()
      a.behaviour = follows()
      const elected = simulation.clock.sleep(700).then(() => {
        a.behaviour = leadsIn('a', 10)
      })
      expect(await change('x')).toBe('a')
      await elected
      expect(c.asked.filter((asked) => asked.endsWith('/x')).every((asked) => asked === '9/x')).toBe(true)
    }))

  test('is not taken from who names no leader in it', () =>
    withGroup(async (world) => {
      const { members, change } = world
      const [a, b, c] = members
      led(world, 6)
      await change('before')
      b.behaviour = follows({ term: 50 })
      c.behaviour = follows({ term: 50 })
      a.behaviour = follows()
      const search = change('x')
      await world.simulation.clock.sleep(100)
      a.behaviour = leadsIn('a', 7)
      expect(await search).toBe('a')
    }))

  test('is followed also to a member that goes by another name', () =>
    withGroup(
      async (world) => {
        world.members[0].behaviour = leadsIn('sole', 3)
        expect(await timed(world, async () => expect(await world.change('x')).toBe('sole'))).toBeLessThan(9)
      },
      { client: { members: [{ id: 'a', address: { kind: 'tcp', host: 'a', port: 7000 } }] } },
    ))

  test('does not send a change round for ever when it is refused all the same', () =>
    withGroup(async (world) => {
      const { members, tries } = world
      for (const member of members) member.behaviour = follows({ leader: member.id, term: 4 })
      await expect(world.change('x', { deadlineMs: 3_000 })).rejects.toMatchObject({ code: 'Unavailable' })
      expect(tries()).toBeLessThan(80)
    }))

  test('is not named by what reads', () =>
    withGroup(async (world) => {
      led(world, 6)
      await world.change('before')
      world.members[0].behaviour = world.members[0].leads
      expect(await world.ask('read')).toBe('a')
      expect(world.members[0].asked.at(-1)).toBe('read')
    }))
})

describe('members that are gone', () => {
  test('one that is down costs nothing to speak of', () =>
    withGroup(async (world) => {
      const {
        members: [a, b, c],
        ask,
      } = world
      b.behaviour = follows()
      c.behaviour = follows({ leader: 'a' })
      await ask('before')
      c.behaviour = c.leads
      a.node.kill()
      expect(await timed(world, async () => expect(await ask('x')).toBe('c'))).toBeLessThan(100)
    }))

  test('one that is stopped costs one try, and only once', () =>
    withGroup(async (world) => {
      const {
        members: [a, b, c],
        ask,
      } = world
      b.behaviour = follows({ leader: 'a' })
      c.behaviour = follows({ leader: 'a' })
      await ask('before')
      // Accepts and never answers; the others do not know yet.
      a.behaviour = silent
      c.behaviour = c.leads
      const tookMs = await timed(world, async () => expect(await ask('x')).toBe('c'))
      expect(tookMs).toBeGreaterThan(1_900)
      expect(tookMs).toBeLessThan(2_300)
      expect(await timed(world, () => ask('y'))).toBeLessThan(50)
    }))

  test('a machine that is cut off, too', () =>
    withGroup(async (world) => {
      const {
        simulation,
        members: [a, b, c],
        ask,
      } = world
      b.behaviour = follows({ leader: 'a' })
      c.behaviour = follows({ leader: 'a' })
      await ask('before')
      const heal = simulation.network.partition('client', 'a')
      b.behaviour = b.leads
      expect(await timed(world, async () => expect(await ask('x')).toBe('b'))).toBeLessThan(2_300)
      // Back, and in the lead again.
      heal()
      a.behaviour = a.leads
      b.behaviour = follows({ leader: 'a' })
      expect(await timed(world, async () => expect(await ask('y')).toBe('a'))).toBeLessThan(100)
    }))

  test('one that is slow is not asked ever more often', () =>
    withGroup(async (world) => {
      const { simulation, members, ask, tries } = world
      for (const member of members) {
        member.behaviour = async (call) => {
          await simulation.clock.sleep(7_000)
          return member.leads(call)
        }
      }
      expect(await timed(world, () => ask('x'))).toBeLessThan(2_000 + 4_000 + 7_100)
      expect(tries()).toBe(3)
    }))

  test('one that comes back is found', () =>
    withGroup(async ({ members, simulation, ask }) => {
      for (const member of members) member.node.kill()
      const back = simulation.clock.sleep(5_000).then(() => members[0].boot())
      expect(await ask('x')).toBe('a')
      await back
    }))

  test('all are down: what happened, at the deadline', () =>
    withGroup(async (world) => {
      const { members, client } = world
      for (const member of members) member.node.kill()
      const tookMs = await timed(world, async () => {
        const error = await client.call('group.do.1', bytes('x'), { repeat: 'whenever', deadlineMs: 5_000 }).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(error).toMatchObject({ code: 'Unavailable', details: { group: 'group' } })
        const { message } = error as Error
        expect(message).toContain('group.do.1 within 5000 ms')
        for (const { id } of members) expect(message).toMatch(new RegExp(`${id}: Unavailable \\(`))
      })
      expect(tookMs).toBeGreaterThanOrEqual(5_000)
      expect(tookMs).toBeLessThan(5_100)
    }))

  test('all are silent: it may have happened', () =>
    withGroup(async (world) => {
      for (const member of world.members) member.behaviour = silent
      const tookMs = await timed(world, async () => expect(await world.code('x')).toBe('DeadlineExceeded'))
      expect(tookMs).toBeGreaterThanOrEqual(29_900)
      expect(tookMs).toBeLessThan(30_100)
    }))

  test('the pauses end with the deadline', () =>
    withGroup(async (world) => {
      for (const member of world.members) member.behaviour = follows()
      const tookMs = await timed(world, async () =>
        expect(await world.code('x', { deadlineMs: 777 })).toBe('Unavailable'),
      )
      expect(tookMs).toBeGreaterThanOrEqual(777)
      expect(tookMs).toBeLessThan(790)
    }))

  test('those who wait for a search end at their own deadline', () =>
    withGroup(async (world) => {
      for (const member of world.members) member.behaviour = follows()
      const search = world.code('x', { deadlineMs: 10_000 })
      const tookMs = await timed(world, async () =>
        expect(await world.code('y', { deadlineMs: 500 })).toBe('Unavailable'),
      )
      expect(tookMs).toBeLessThan(600)
      expect(await search).toBe('Unavailable')
    }))
})

describe('what is repeated', () => {
  test.each(['OutcomeUnknown', 'DeadlineExceeded', 'Closed'] as const)(
    '%s of a member: the same bytes go out again',
    (unknown) =>
      withGroup(async ({ members: [a, b, c], ask }) => {
        b.behaviour = follows({ leader: 'a' })
        c.behaviour = follows({ leader: 'a' })
        let times = 0
        a.behaviour = (call) => (times++ === 0 ? says(unknown)(call) : a.leads(call))
        expect(await ask('request 7')).toBe('a')
        expect(a.asked).toEqual(['request 7', 'request 7'])
      }),
  )

  test.each(['OutcomeUnknown', 'DeadlineExceeded', 'Closed'] as const)('but not when it must not: %s', (unknown) =>
    withGroup(async ({ members, code, tries }) => {
      for (const member of members) member.behaviour = says(unknown)
      expect(await code('x', { repeat: 'if-not-begun' })).toBe(unknown)
      expect(tries()).toBe(1)
    }),
  )

  test('a connection lost under a call that must not be repeated', () =>
    withGroup(async ({ members, code, tries }) => {
      for (const member of members) {
        member.behaviour = (call) => {
          member.node.kill()
          return silent(call)
        }
      }
      expect(await code('x', { repeat: 'if-not-begun' })).toBe('OutcomeUnknown')
      expect(tries()).toBe(1)
    }))

  test('what surely was not begun always is', () =>
    withGroup(async ({ members: [a, b, c], ask }) => {
      a.node.kill()
      b.behaviour = follows()
      expect(await ask('x', { repeat: 'if-not-begun' })).toBe('c')
      expect(c.asked).toEqual(['x'])
    }))

  test('a call that must not be repeated has all its time for one try', () =>
    withGroup(async (world) => {
      for (const member of world.members) member.behaviour = silent
      const tookMs = await timed(world, async () =>
        expect(await world.code('x', { repeat: 'if-not-begun', deadlineMs: 9_000 })).toBe('DeadlineExceeded'),
      )
      expect(tookMs).toBeGreaterThanOrEqual(9_000)
      expect(world.tries()).toBe(1)
    }))

  test.each(['KeyNotFound', 'Busy', 'OutOfSpace', 'Internal', 'Incompatible', 'Unauthenticated'] as const)(
    '%s is an answer',
    (answer) =>
      withGroup(async ({ members, code, tries }) => {
        for (const member of members) member.behaviour = says(answer)
        expect(await code('x')).toBe(answer)
        expect(tries()).toBe(1)
      }),
  )

  test.each(['Unavailable', 'VolumeFailed'] as const)('%s is one when the others know no better', (refusal) =>
    withGroup(async (world) => {
      const {
        members: [a, b, c],
        ask,
        code,
      } = world
      for (const member of [b, c]) member.behaviour = follows({ leader: 'a' })
      a.behaviour = says(refusal)
      expect(await timed(world, async () => expect(await code('x')).toBe(refusal))).toBeLessThan(100)
      c.behaviour = c.leads
      expect(await ask('x')).toBe('c')
    }),
  )
})

describe('the end of a call', () => {
  test('by its signal', () =>
    withGroup(async (world) => {
      const { simulation, members, code } = world
      for (const member of members) member.behaviour = follows()
      const stop = new AbortController()
      const stopped = simulation.clock.sleep(400).then(() => stop.abort(new Error('enough')))
      const tookMs = await timed(world, async () =>
        expect(await code('x', { signal: stop.signal })).toContain('enough'),
      )
      await stopped
      expect(tookMs).toBeLessThan(410)
      members[0].behaviour = silent
      expect(await code('y', { signal: AbortSignal.abort(new Error('before it began')) })).toContain('before')
    }))

  test('by closing the client', () =>
    withGroup(async ({ simulation, members, client, code }) => {
      for (const member of members) member.behaviour = silent
      const closed = simulation.clock.sleep(100).then(() => client.close())
      expect(await code('x')).toBe('OutcomeUnknown')
      await closed
      expect(await code('y')).toBe('Closed')
    }))
})

describe('members that do not know us', () => {
  const secrets: Readonly<Record<string, string>> = { a: 'another', b: 'ours', c: 'another' }

  async function known(right: readonly string[], main: (world: GroupWorld) => Promise<void>): Promise<void> {
    const { Simulation } = await import('../../src/env/sim/sim-env.ts')
    const { random } = new Simulation({ seed: 'keys' })
    const server = Object.fromEntries(
      Object.keys(secrets).map((id) => {
        const secret = new Secret(right.includes(id) ? 'ours' : 'another')
        return [id, { authentication: keyServer(() => ({ secret, peer: 'client' }), random) }]
      }),
    )
    const authentication = keyClient({ keyId: 'client', secret: new Secret('ours') }, random)
    await withGroup(main, { server, client: { authentication } })
  }

  test('all of them: an answer at once', () =>
    known([], async (world) => {
      expect(await timed(world, async () => expect(await world.code('x')).toBe('Unauthenticated'))).toBeLessThan(100)
    }))

  test('some of them: the others are asked', () =>
    known(['b'], async (world) => {
      expect(await world.ask('x')).toBe('b')
    }))
})
