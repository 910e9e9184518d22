/** Scenes of members that lose their logs, or what they took alone. */

import { scenePlan, type Scene } from '../../../src/testing/core-sim/core-sim.ts'
import {
  idle,
  wroteTo,
  of,
  cast,
  someoneLeads,
  passed,
  ruled,
  timeouts,
  close,
  separate,
  propose,
  restart,
  loseAll,
  withoutLeases,
} from './directions.ts'

/**
 * A leader that nobody hears took entries alone. It hears of the next one, whose entries take the place of its own, and goes down
 * when its disk has the new term and not yet the new entries.
 */
export const crashWhileTakingOver: Scene = {
  *play(nemesis) {
    yield* ruled(nemesis)
    const [former, ...others] = cast(nemesis)
    const open = close(nemesis, [former], others)
    for (let n = 0; n < 5; n++) propose(nemesis, former)
    yield timeouts(nemesis, 0.5)
    const { term } = former.disk.hardState
    former.disk.slowness = 30
    yield () => former.disk.hardState.term > term
    restart(former)
    open()
    yield timeouts(nemesis, 3)
  },
}

/** One of two that have an entry loses its disk, the other goes down: the third one lacks it, and may not lead. */
export const logIsLost: Scene = {
  *play(nemesis) {
    yield someoneLeads(nemesis)
    const [leader, behind, loser] = cast(nemesis)
    separate(nemesis, [of(behind)], [leader, of(loser)])
    const { commitIndex } = of(leader.view).core
    for (let n = 0; n < 3; n++) propose(nemesis, leader)
    yield () => of(leader.view).core.commitIndex >= commitIndex + 3
    nemesis.repairAll()
    separate(nemesis, [leader], [of(behind), of(loser)])
    leader.crash()
    loseAll(of(loser))
    yield timeouts(nemesis, 6)
  },
}

/**
 * Two of three have what was acknowledged. The disk of one becomes what it was before; it hears the leader for a while, which then goes down: with
 * the third it must not lead.
 */
export const diskIsOfBefore: Scene = {
  *play(nemesis) {
    yield* ruled(nemesis)
    const [leader, loser, behind] = cast(nemesis)
    const before = of(loser).disk.image()
    separate(nemesis, [of(behind)], [leader, of(loser)])
    for (let n = 0; n < 3; n++) yield* wroteTo(nemesis, [leader])
    yield timeouts(nemesis, 0.5)
    of(loser).crash()
    of(loser).disk.restore(before)
    of(loser).start()
    yield timeouts(nemesis, 1)
    nemesis.repairAll()
    separate(nemesis, [leader], [of(behind), of(loser)])
    leader.crash()
    yield timeouts(nemesis, 6)
  },
}

/**
 * A leader whose clock stands still knows of no other, which a majority has elected. One of that majority loses its disk, and with it
 * its vote; what it then takes from the old leader must not count.
 */
export const voteIsForgotten: Scene = {
  plan: withoutLeases,
  *play(nemesis) {
    yield someoneLeads(nemesis)
    const [former, ...others] = cast(nemesis)
    former.clock.stand()
    nemesis.untilRepaired(() => former.clock.go())
    const open = separate(nemesis, [former], others)
    yield () => others.some(({ view }) => view?.core.role === 'leader')
    const next = of(others.find(({ view }) => view?.core.role === 'leader'))
    const loser = of(others.find((each) => each !== next))
    yield timeouts(nemesis, 1)
    separate(nemesis, [next], [loser])
    open()
    separate(nemesis, [former], [next])
    loseAll(loser)
    for (let n = 0; n < 20; n++) {
      propose(nemesis, former)
      yield passed(nemesis, 5)
    }
  },
}

/**
 * A member has entries of a leader that nobody else had. The next leader asks it about the place in front of them, without entries, for
 * it no longer has its own in memory, and says how far they are committed.
 */
export const questionWithoutEntries: Scene = {
  plan: { ...idle, members: 5, raft: { ...scenePlan(1).raft, maxTailBytes: 1 } },
  *play(nemesis) {
    yield* ruled(nemesis)
    const [leader, witness, ...others] = cast(nemesis)
    separate(nemesis, [leader, of(witness)], others)
    const { lastIndex } = of(leader.view).core
    for (let n = 0; n < 3; n++) propose(nemesis, leader)
    yield () => of(witness).disk.durableLog.lastIndex >= lastIndex + 3
    leader.crash()
    for (let n = 0; n < 3; n++) yield* wroteTo(nemesis, others)
    nemesis.repairAll()
    yield timeouts(nemesis, 3)
  },
}
