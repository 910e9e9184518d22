/** Scenes of changes of the group. */

import type { Scene } from '../../../src/testing/core-sim/core-sim.ts'
import type { SimMember } from '../../../src/testing/core-sim/sim-member.ts'
import {
  of,
  cast,
  someoneLeads,
  ruled,
  timeouts,
  close,
  separate,
  propose,
  change,
  restart,
  learned,
} from './directions.ts'

/**
 * The leader makes a group of itself and the two learners, and the old voters do not hear of it. They elect another leader,
 * as they may; the learners, whose leader then is gone, may not by themselves.
 */
export const groupIsReplacedUnheard: Scene = {
  *play(nemesis) {
    yield* learned(nemesis)
    const [leader, ...others] = cast(nemesis)
    const spares = nemesis.cluster.all.slice(3)
    separate(nemesis, [leader, ...spares], others)
    change(leader, [leader, ...spares], [])
    yield () =>
      spares.every(
        ({ disk, id }) => disk.durableLog.configurationsAfter(0).at(-1)?.configuration.voters.includes(id) === true,
      )
    leader.crash()
    yield timeouts(nemesis, 12)
  },
}

/**
 * As before, but the old voters still get, and answer, what was written just before the change. That is then committed, and the
 * change is not.
 */
export const groupIsReplacedBehindAWrite: Scene = {
  *play(nemesis) {
    yield* learned(nemesis)
    const [leader, ...others] = cast(nemesis)
    const spares = nemesis.cluster.all.slice(3)
    propose(nemesis, leader)
    close(nemesis, [leader, ...spares], others)
    change(leader, [leader, ...spares], [])
    yield timeouts(nemesis, 6)
  },
}

/** Nobody but the leader hears of a change, and it is asked for a second one, to a group that it could do alone. */
export const changeUnderWayIsChanged: Scene = {
  *play(nemesis) {
    yield* learned(nemesis)
    const [leader, ...others] = cast(nemesis)
    const spares = nemesis.cluster.all.slice(3)
    separate(nemesis, [leader, ...spares], others)
    change(leader, [leader, ...spares], [])
    change(leader, [leader, of(spares[0])], [])
    yield timeouts(nemesis, 6)
  },
}

/**
 * The entry that lets a member go is on that member alone: the leader, then the only voter, went down before its own disk had it,
 * and cannot win without the vote of the one that it let go.
 */
export const onlyTheRemovedHasTheEntry: Scene = {
  *play(nemesis) {
    yield* ruled(nemesis)
    const [leader, removed, bystander] = cast(nemesis)
    of(bystander).crash()
    change(leader, [leader], [])
    const newest = ({ disk }: SimMember): string =>
      JSON.stringify(disk.durableLog.configurationsAfter(0).at(-1)?.configuration.outgoing ?? null)
    yield () => newest(leader) !== '[]' && newest(leader) !== 'null'
    leader.disk.slowness = 300
    yield () => newest(of(removed)) === '[]'
    leader.disk.slowness = 1
    restart(leader)
    yield timeouts(nemesis, 1)
    yield someoneLeads(nemesis)
  },
}
