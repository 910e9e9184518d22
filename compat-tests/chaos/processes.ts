/** The processes of a cluster, as `o3 cluster status` shows them. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../harness/command.ts'

export interface Process {
  readonly role: string
  readonly id: string
  readonly state: string
  readonly pid: number
  readonly leader?: boolean
}

const launcher = join(import.meta.dirname, '../../cli/bin/o3.mjs')

export async function processesOf(directory: string): Promise<readonly Process[]> {
  const out = await run(process.execPath, [launcher, 'cluster', 'status', '--json', '--data', directory])
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Process)
}

/** Asks until somebody says so. */
export async function leaderOf(directory: string, role: string): Promise<Process> {
  for (const endMs = performance.now() + 30_000; performance.now() < endMs; await sleep(100)) {
    const leader = (await processesOf(directory)).find((each) => each.role === role && each.leader === true)
    if (leader !== undefined) return leader
  }
  throw new Error(`nobody leads ${role}`)
}
