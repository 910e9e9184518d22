/**
 * Any process is killed, those of the two groups are stopped for a while and go on as if nothing had been, sometimes two at
 * once, and all are restarted in turn. A group may lose its majority for the seconds that a restart takes, no longer.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from './scenario.ts'

const groups: readonly (readonly string[])[] = [
  ['om1', 'om2', 'om3'],
  ['scm1', 'scm2', 'scm3'],
]
const voters = groups.flat()
const everyone = [...voters, 'dn1', 'gw1']
const longestStopMs = 10_000
/** The oracle of recovery: however the fault was, all is up and led by then. */
const wholeWithinMs = 30_000

type Fault = (stage: Stage) => Promise<string>

const killAny: Fault = async ({ cluster, dice }) => {
  const id = dice.pick(everyone) ?? ''
  return cluster.kill(id) ? `killed ${id}` : `${id} was down already`
}

const killTwo: Fault = async ({ cluster, dice }) => {
  const first = dice.pick(everyone) ?? ''
  const second = dice.pick(everyone.filter((id) => id !== first)) ?? ''
  const killed = [first, second].filter((id) => cluster.kill(id))
  return `killed ${killed.join(' and ')}`
}

const stopOne: Fault = async ({ cluster, dice }) => {
  const id = dice.pick(voters) ?? ''
  const forMs = stopMs(dice.fraction())
  cluster.stop(id)
  await sleep(forMs)
  cluster.resume(id)
  return `stopped ${id} for ${(forMs / 1000).toFixed(1)} s`
}

/** One of each group. */
const stopTwo: Fault = async ({ cluster, dice }) => {
  const ids = groups.map((group) => dice.pick(group) ?? '')
  const forMs = stopMs(dice.fraction())
  for (const id of ids) cluster.stop(id)
  await sleep(forMs)
  for (const id of ids) cluster.resume(id)
  return `stopped ${ids.join(' and ')} for ${(forMs / 1000).toFixed(1)} s`
}

/** A process dies while one of the other group, or of its own, does not answer. */
const stopAndKill: Fault = async ({ cluster, dice }) => {
  const stopped = dice.pick(voters) ?? ''
  const killed = dice.pick(everyone.filter((id) => id !== stopped)) ?? ''
  const forMs = stopMs(dice.fraction())
  cluster.stop(stopped)
  await sleep(forMs / 2)
  cluster.kill(killed)
  await sleep(forMs / 2)
  cluster.resume(stopped)
  return `stopped ${stopped} for ${(forMs / 1000).toFixed(1)} s and killed ${killed} meanwhile`
}

/** The next one goes when the one before is back. */
const rollingRestart: Fault = async ({ cluster }) => {
  for (const id of everyone) {
    await cluster.restart(id, wholeWithinMs)
    await cluster.whole(wholeWithinMs)
  }
  return 'restarted all in turn'
}

/** As often as they are here. */
const faults: readonly Fault[] = [killAny, killAny, killAny, killTwo, stopOne, stopOne, stopTwo, stopAndKill]

export async function mixed(stage: Stage, { seconds }: { readonly seconds: number }): Promise<void> {
  const { cluster, dice, say } = stage
  const beganMs = performance.now()
  const endMs = beganMs + seconds * 1000
  // In the middle, between faults of all kinds.
  let rollMs = beganMs + (seconds * 1000) / 2
  while (performance.now() < endMs) {
    const isRolling = performance.now() > rollMs
    if (isRolling) rollMs = Infinity
    const fault = isRolling ? rollingRestart : (dice.pick(faults) ?? killAny)
    const did = await fault(stage)
    // Sometimes the next fault comes before the cluster is whole again.
    const isPatient = dice.chance(0.6)
    if (!isPatient) await sleep(dice.between(200, 3_000))
    const healed = isPatient ? `; whole again after ${((await cluster.whole(wholeWithinMs)) / 1000).toFixed(1)} s` : ''
    say(`${((performance.now() - beganMs) / 1000).toFixed(0)} s: ${did}${healed}`)
  }
}

/** Short ones more often than long ones: around an election timeout is where it matters. */
function stopMs(fraction: number): number {
  return 200 + (longestStopMs - 200) * fraction * fraction
}
