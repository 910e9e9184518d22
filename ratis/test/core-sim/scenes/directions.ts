/** What scenes are made of. */

import type { MembershipChange } from '../../../src/core/raft.ts'
import { scenePlan, type SimPlan } from '../../../src/testing/core-sim/core-sim.ts'
import { encodeRequest } from '../../../src/testing/core-sim/kv-machine.ts'
import type { Nemesis } from '../../../src/testing/core-sim/nemesis.ts'
import { addressOf } from '../../../src/testing/core-sim/sim-cluster.ts'
import type { SimMember } from '../../../src/testing/core-sim/sim-member.ts'

export type Condition = () => boolean

/** In the scenes nobody else asks as this one. */
const client = 200

export function of<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the scene needs somebody who is not there')
  return value
}

/** The leader, and the other first members. */
export function cast({ cluster }: Nemesis): readonly [leader: SimMember, ...others: SimMember[]] {
  const leader = of(cluster.leader)
  return [leader, ...cluster.all.slice(0, cluster.plan.members).filter((member) => member !== leader)]
}

export const someoneLeads =
  ({ cluster }: Nemesis): Condition =>
  () =>
    cluster.leader !== undefined

export function passed({ cluster: { world } }: Nemesis, ms: number): Condition {
  const untilMs = world.nowMs + ms
  return () => world.nowMs >= untilMs
}

/** Somebody leads, and has committed something of its term. */
export function* ruled(nemesis: Nemesis): Generator<Condition> {
  yield someoneLeads(nemesis)
  yield timeouts(nemesis, 2)
}

export function timeouts(nemesis: Nemesis, count: number): Condition {
  return passed(nemesis, count * nemesis.cluster.plan.raft.electionTimeoutMs)
}

/** Nothing passes from any of `from` to any of `to`, until it is opened or the end. */
export function close(nemesis: Nemesis, from: readonly SimMember[], to: readonly SimMember[]): () => void {
  const { network } = nemesis.cluster
  const opens = from.flatMap((one) => to.map((other) => network.close(one.id, other.id)))
  const open = (): void => opens.forEach((each) => each())
  nemesis.untilRepaired(open)
  return open
}

export function separate(nemesis: Nemesis, some: readonly SimMember[], others: readonly SimMember[]): () => void {
  const opens = [close(nemesis, some, others), close(nemesis, others, some)]
  return () => opens.forEach((open) => open())
}

const requests = new WeakMap<Nemesis, number>()

function nextRequest(nemesis: Nemesis): number {
  const number = (requests.get(nemesis) ?? 0) + 1
  requests.set(nemesis, number)
  return number
}

/** Not through a client: it is not tried again elsewhere. */
export function propose(nemesis: Nemesis, member: SimMember): void {
  member.propose(encodeRequest({ client, number: nextRequest(nemesis), key: 0 }, 16), () => undefined)
}

/** Who of them leads, by what it says itself. */
export const leaderOf = (members: readonly SimMember[]): SimMember | undefined =>
  members.find(({ view }) => view?.core.role === 'leader')

/** One of them leads, and a client has been told of a write to it. */
export function* wroteTo(nemesis: Nemesis, members: readonly SimMember[]): Generator<Condition> {
  yield () => leaderOf(members) !== undefined
  const number = nextRequest(nemesis)
  let isTold = false
  of(leaderOf(members)).propose(encodeRequest({ client, number, key: 0 }, 16), (fate) => {
    if (fate.kind !== 'applied') return
    nemesis.cluster.checkers.acknowledged({ client, number, index: fate.index })
    isTold = true
  })
  yield () => isTold
}

export function change(leader: SimMember, voters: readonly SimMember[], learners: readonly SimMember[]): void {
  const ids = [...voters, ...learners].map(({ id }) => id)
  const wanted: MembershipChange = {
    voters: voters.map(({ id }) => id),
    learners: learners.map(({ id }) => id),
    addresses: Object.fromEntries(ids.map((id) => [id, addressOf(id)])),
  }
  leader.command('change', (core) => core.changeMembership(wanted))
}

export const restart = (member: SimMember): void => {
  member.crash()
  member.start()
}

/** A new disk under the old name. */
export function loseAll(member: SimMember): void {
  member.crash()
  member.disk.replace()
  member.start()
}

/** The last two members have learned all there is; the leader's view of them is fresh. */
export function* learned(nemesis: Nemesis): Generator<Condition> {
  yield* ruled(nemesis)
  const [leader, ...others] = cast(nemesis)
  const spares = nemesis.cluster.all.slice(nemesis.cluster.plan.members)
  for (const spare of spares) spare.start()
  change(leader, [leader, ...others], spares)
  yield () => {
    const members = leader.view?.core.status().members ?? []
    return spares.every(({ id }) => members.some((each) => each.id === id && each.mayVote && each.matchIndex > 0))
  }
  yield timeouts(nemesis, 1)
}

/** Clients do nothing by themselves, so logs of members that are cut off stay as long as the others'. */
export const idle: Partial<SimPlan> = { workload: { ...scenePlan(1).workload, thinkMs: 1e6 } }

/** Clocks may stand still. */
export const withoutLeases: Partial<SimPlan> = {
  leases: 'off',
  raft: { ...scenePlan(1).raft, maxClockDriftMs: scenePlan(1).raft.electionTimeoutMs - 0.001 },
}
