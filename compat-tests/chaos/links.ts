/**
 * The links between the OMs are cut, and those to the others: with the leader alone, one way, between two of three, again
 * and again. What is sent on a link that is cut is lost and nobody is told.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { leaderOf } from './processes.ts'
import { restHost, startOnHosts } from './cluster-on-hosts.ts'
import type { Cut, CutNetwork } from './cut-network.ts'
import { networkOf } from './own-network.ts'
import { runScenario } from './scenario.ts'
import type { ScenarioOptions, Stage } from './scenario.ts'

export const omHosts = ['om1', 'om2', 'om3']
const shape = ['--om', '3', '--scm', '3', '--datanodes', '1']

/** Longer than elections take, shorter than the budget of a request. */
const cutMs = 8_000
const wholeWithinMs = 30_000

interface Places {
  readonly leader: string
  readonly others: readonly string[]
}

const from = (one: string, all: readonly string[]): readonly Cut[] => all.map((other) => [one, other])
const to = (one: string, all: readonly string[]): readonly Cut[] => all.map((other) => [other, one])
const between = (one: string, all: readonly string[]): readonly Cut[] => [...from(one, all), ...to(one, all)]

/** Each with the links that it cuts; several: in turn, for a moment each. */
const cuts: Readonly<Record<string, (places: Places) => readonly (readonly Cut[])[]>> = {
  'the leader from the other two': ({ leader, others }) => [between(leader, others)],
  'the leader from everybody': ({ leader, others }) => [between(leader, [...others, restHost])],
  'the leader is not heard by the other two': ({ leader, others }) => [from(leader, others)],
  'the leader does not hear the other two': ({ leader, others }) => [to(leader, others)],
  'the leader and one of the others, who both see the third': ({ leader, others }) => [
    between(leader, others.slice(0, 1)),
  ],
  'the two who do not lead': ({ others }) => [between(others[0] ?? '', others.slice(1))],
  'one who does not lead is not heard': ({ leader, others }) => [from(others[0] ?? '', [leader, ...others.slice(1)])],
  'the leader from the clients': ({ leader }) => [between(leader, [restHost])],
  'the leader comes and goes': ({ leader, others }) => [between(leader, others), []],
}
/** Of links that come and go. */
const flapMs = [300, 1_500] as const

async function cutLinks(stage: Stage, network: CutNetwork): Promise<void> {
  const { server, ledger, cluster, lost, say } = stage
  for (const [name, links] of Object.entries(cuts)) {
    const { id: leader } = await leaderOf(server.directory, 'om')
    const steps = links({ leader, others: omHosts.filter((host) => host !== leader) })
    lost()
    await play(stage, network, steps)
    await network.cut([])
    ledger.add('cuts')
    say(`cut: ${name}; whole again after ${((await cluster.whole(wholeWithinMs)) / 1000).toFixed(1)} s`)
  }
}

async function play({ dice }: Stage, network: CutNetwork, steps: readonly (readonly Cut[])[]): Promise<void> {
  const endMs = performance.now() + cutMs
  const [only] = steps
  if (steps.length === 1 && only !== undefined) {
    await network.cut(only)
    await sleep(cutMs)
    return
  }
  while (performance.now() < endMs) {
    for (const step of steps) {
      await network.cut(step)
      await sleep(dice.between(...flapMs))
    }
  }
}

/** On the host of the clients, which `onOwnNetwork` made. */
export async function links(options: ScenarioOptions, prefix: string): Promise<void> {
  const network = networkOf(prefix, omHosts)
  const settings = { om: ['om.segment=4MiB'] }
  const start = (directory: string) =>
    startOnHosts(directory, { network, shape, hosts: omHosts, settings, restarts: false })
  await runScenario({ ...options, start }, (stage) => cutLinks(stage, network))
}
