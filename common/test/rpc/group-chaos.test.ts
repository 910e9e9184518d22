import fc from 'fast-check'
import { expect, test } from 'vitest'
import { follows, says, silent, withGroup } from './group-world.ts'
import type { Behaviour, Member } from './group-world.ts'
import { text } from './worlds.ts'

type Act =
  | { readonly kind: 'lead' | 'silence' | 'stop' | 'cut-off' | 'lose'; readonly member: number }
  | { readonly kind: 'follow'; readonly member: number; readonly hint: string | undefined }

const member = fc.nat({ max: 2 })
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constantFrom('lead', 'silence', 'stop', 'cut-off', 'lose'), member }),
  fc.record({
    kind: fc.constant('follow' as const),
    member,
    hint: fc.constantFrom('a', 'b', 'c', 'z', undefined),
  }),
)

const repeat = fc.constantFrom('whenever', 'if-not-begun')
const deadlineMs = 8_000

test('whatever the members do: every call ends in time, none that must not is repeated, and calm is noticed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ act, afterMs: fc.nat({ max: 1_500 }) }), { minLength: 3, maxLength: 15 }),
      fc.array(fc.record({ repeat, afterMs: fc.nat({ max: 800 }) }), { minLength: 5, maxLength: 20 }),
      (acts, calls) =>
        withGroup(async (world) => {
          const { simulation, members, ask, code } = world
          const { clock } = simulation
          /** How often each call was begun at some member. */
          const begun = new Map<string, number>()
          const counted =
            (behaviour: Behaviour): Behaviour =>
            (call) => {
              const id = text(call.payload)
              begun.set(id, (begun.get(id) ?? 0) + 1)
              return behaviour(call)
            }
          const cuts: (() => void)[] = []
          const perform = async ({ kind, member: which, ...rest }: Act): Promise<void> => {
            const one = members[which] as Member
            if (!one.node.isUp) await one.boot()
            if (kind === 'lead') one.behaviour = counted(one.leads)
            else if (kind === 'silence') one.behaviour = counted(silent)
            else if (kind === 'lose') one.behaviour = counted(says('OutcomeUnknown'))
            else if (kind === 'stop') one.node.kill()
            else if (kind === 'cut-off') cuts.push(simulation.network.partition('client', one.id))
            else if ('hint' in rest) one.behaviour = follows(rest.hint === undefined ? {} : { leader: rest.hint })
          }
          for (const one of members) one.behaviour = follows()

          const script = (async () => {
            for (const each of acts) {
              await clock.sleep(each.afterMs)
              await perform(each.act)
            }
          })()
          const outcomes: Promise<void>[] = []
          for (const [n, { repeat: rule, afterMs }] of calls.entries()) {
            await clock.sleep(afterMs)
            const beganMs = simulation.nowMs
            const outcome = code(`${rule} ${n}`, { repeat: rule, deadlineMs })
            outcomes.push(
              outcome.then((answer) => {
                expect(['a', 'b', 'c', 'Unavailable', 'DeadlineExceeded', 'OutcomeUnknown']).toContain(answer)
                if (rule === 'whenever') expect(answer).not.toBe('OutcomeUnknown')
                expect(simulation.nowMs - beganMs).toBeLessThanOrEqual(deadlineMs + 1)
              }),
            )
          }
          await Promise.all(outcomes)
          await script
          for (const [id, times] of begun) if (id.startsWith('if-not-begun')) expect(times, id).toBe(1)

          for (const heal of cuts) heal()
          for (const one of members) {
            if (!one.node.isUp) await one.boot()
            one.behaviour = follows({ leader: 'b' })
          }
          members[1].behaviour = members[1].leads
          expect(await ask('calm', { deadlineMs: 5_000 })).toBe('b')
        }),
    ),
    { numRuns: 200 },
  )
}, 60_000)
