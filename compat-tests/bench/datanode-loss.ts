/** A datanode is killed for good, its disk gone with it. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesOf } from '../chaos/processes.ts'
import type { Server } from '../harness/server.ts'
import { adminOf, illOf } from './bench-cluster.ts'
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

const victimId = 'dn2'
/** Each look is a process that starts. */
const lookAgainMs = 200

/** Takes dn2 of this cluster, and waits until there is nothing that lacks a copy. */
export async function loseDatanode(server: Server): Promise<DatanodeLoss> {
  const victim = (await processesOf(server.directory)).find(({ id }) => id === victimId)
  if (victim === undefined) throw new Error(`there is no ${victimId}`)
  const before = await look(server.directory)
  const killedMs = performance.now()
  rmSync(join(server.directory, victimId, 'disk'), { recursive: true })
  process.kill(victim.pid, 'SIGKILL')
  const after = async (isSo: (seen: Seen) => boolean): Promise<number> => {
    while (!isSo(await look(server.directory))) await sleep(lookAgainMs)
    return (performance.now() - killedMs) / 1000
  }
  return {
    gigabytes: before.gigabytes,
    containers: before.containers,
    suspectedS: await after(({ health }) => health !== 'HEALTHY'),
    firstCopyS: await after(({ copies }) => copies > 0),
    copiedS: await after(({ ill, copies }) => ill === 0 && copies === 0),
  }
}

interface Seen {
  readonly health: string
  readonly gigabytes: number
  readonly containers: number
  readonly ill: number
  readonly copies: number
}

async function look(data: string): Promise<Seen> {
  const node = (await adminOf<NodeRow>(data, 'datanode', 'list')).find(({ id }) => id === victimId)
  const [report] = await adminOf<ContainerReport>(data, 'container', 'report')
  return {
    health: node?.health ?? 'DEAD',
    gigabytes: (node?.disks ?? []).reduce((sum, { usedBytes }) => sum + usedBytes, 0) / 1e9,
    containers: node?.containers ?? 0,
    ill: report === undefined ? 0 : illOf(report),
    copies: report?.tasks ?? 0,
  }
}
