/** Scenes of leaders that do not know that there is another. */

import type { Scene } from '../../../src/testing/core-sim/core-sim.ts'
import type { Nemesis } from '../../../src/testing/core-sim/nemesis.ts'
import type { SimMember } from '../../../src/testing/core-sim/sim-member.ts'
import {
  of,
  cast,
  someoneLeads,
  passed,
  ruled,
  timeouts,
  separate,
  wroteTo,
  restart,
  withoutLeases,
  idle,
  type Condition,
} from './directions.ts'

/** A leader is stopped, and goes on when another one has led for a while. It is asked for reads before it looks at its clock. */
export const leaderSleeps: Scene = {
  plan: { ticks: 'timer' },
  *play(nemesis) {
    yield* ruled(nemesis)
    const [leader, ...others] = cast(nemesis)
    leader.pause()
    separate(nemesis, [leader], others)
    yield* wroteTo(nemesis, others)
    yield passed(nemesis, 50)
    leader.resume()
    yield timeouts(nemesis, 2)
  },
}

/** What followers answered waits while their leader is stopped for less than an election timeout: it gave a lease when it was asked for. */
export const answersComeLate: Scene = {
  plan: idle,
  *play(nemesis) {
    yield someoneLeads(nemesis)
    const [leader, ...others] = cast(nemesis)
    yield timeouts(nemesis, 1)
    leader.pause()
    yield passed(nemesis, 5)
    separate(nemesis, [leader], others)
    yield timeouts(nemesis, 0.8)
    leader.resume()
    yield* wroteTo(nemesis, others)
    yield timeouts(nemesis, 1)
  },
}

/** A member that the leader does not reach asks the one that has just heard of it, again and again. */
function* askedForAVote(nemesis: Nemesis): Generator<Condition, readonly SimMember[]> {
  yield* ruled(nemesis)
  const [leader, voter, candidate] = cast(nemesis)
  separate(nemesis, [leader], [of(candidate)])
  yield () => candidate?.view?.core.role === 'pre-candidate'
  yield timeouts(nemesis, 0.45)
  separate(nemesis, [leader], [of(voter)])
  return [of(voter), of(candidate)]
}

/** That one then no longer hears the leader either, who still has its word. */
export const voterIsCutOff: Scene = {
  plan: idle,
  *play(nemesis) {
    const others = yield* askedForAVote(nemesis)
    yield* wroteTo(nemesis, others)
    yield timeouts(nemesis, 1)
  },
}

/** It restarts, which does not take back its word. */
export const voterRestarts: Scene = {
  plan: idle,
  *play(nemesis) {
    const others = yield* askedForAVote(nemesis)
    restart(of(others[0]))
    yield* wroteTo(nemesis, others)
    yield timeouts(nemesis, 1)
  },
}

/** Two whose clocks stand still, one of them the leader, do not know that the others have elected another one. */
export const clocksStand: Scene = {
  plan: { ...withoutLeases, members: 5 },
  *play(nemesis) {
    yield someoneLeads(nemesis)
    const [leader, follower, ...others] = cast(nemesis)
    const asleep = [leader, of(follower)]
    for (const { clock } of asleep) clock.stand()
    nemesis.untilRepaired(() => asleep.forEach(({ clock }) => clock.go()))
    separate(nemesis, asleep, others)
    yield () => others.some(({ view }) => view?.core.role === 'leader')
    yield timeouts(nemesis, 1)
    const { checkers } = nemesis.cluster
    checkers.readBegan(0)
    of(follower).read((fate) => {
      if (fate.kind === 'served') checkers.readServed({ id: 0, ...fate })
    })
    yield timeouts(nemesis, 1)
  },
}
