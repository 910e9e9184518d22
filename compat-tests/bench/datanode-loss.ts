/** A datanode is killed for good, its disk gone with it. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesOf } from '../chaos/processes.ts'
import { adminOf } from '../harness/admin.ts'
import type { Server } from '../harness/server.ts'
import { illOf } from './bench-cluster.ts'
import type { ContainerReport, NodeRow } from './bench-cluster.ts'

export interface DatanodeLoss {
  /** That it had. */
  readonly gigabytes: number
  readonly containers: number
  /** Seconds since it was killed. */
  readonly suspectedS: number
  readonly firstCopyS: number
  readonly copiedS: number
}

/** Each look is a process that starts. */
const lookAgainMs = 200

/** Takes the datanode that has most, and waits until there is nothing that lacks a copy. */
export async function loseDatanode(server: Server): Promise<DatanodeLoss> {
  const nodes = await adminOf<NodeRow>(server.directory, 'datanode', 'list')
  const [fullest] = nodes.toSorted((a, b) => bytesOf(b) - bytesOf(a))
  const victim = (await processesOf(server.directory)).find(({ id }) => id === fullest?.id)
  if (fullest === undefined || victim === undefined) throw new Error('there is no datanode')
  const killedMs = performance.now()
  rmSync(join(server.directory, fullest.id, 'disk'), { recursive: true })
  process.kill(victim.pid, 'SIGKILL')
  const after = async (isSo: (seen: Seen) => boolean): Promise<number> => {
    while (!isSo(await look(server.directory, fullest.id))) await sleep(lookAgainMs)
    return (performance.now() - killedMs) / 1000
  }
  return {
    gigabytes: bytesOf(fullest) / 1e9,
    containers: fullest.containers,
    suspectedS: await after(({ health }) => health !== 'HEALTHY'),
    firstCopyS: await after(({ copies }) => copies > 0),
    copiedS: await after(({ ill, copies }) => ill === 0 && copies === 0),
  }
}

interface Seen {
  readonly health: string
  readonly ill: number
  readonly copies: number
}

async function look(data: string, id: string): Promise<Seen> {
  const node = (await adminOf<NodeRow>(data, 'datanode', 'list')).find((each) => each.id === id)
  const [report] = await adminOf<ContainerReport>(data, 'container', 'report')
  return {
    health: node?.health ?? 'DEAD',
    ill: report === undefined ? 0 : illOf(report),
    copies: report?.tasks ?? 0,
  }
}

function bytesOf({ disks }: NodeRow): number {
  return disks.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
}
