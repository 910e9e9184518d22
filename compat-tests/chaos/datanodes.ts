/**
 * Six datanodes in three racks, three copies of everything, and any datanode may die: killed, stopped for longer than SCM waits, cut
 * off, a bit of a container flipped, a disk full, a disk gone for good. No request fails, and in the end every container is
 * whole again without a person.
 *
 * The fault atlas (what may be wrong at once so that nothing may be lost): one datanode's copies at a time. A fault that takes
 * copies away comes only when SCM has noticed what is lost, and says that every container is healthy. Faults that take none
 * away come at any time.
 */

import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminOf } from '../harness/admin.ts'
import { run } from '../harness/command.ts'
import { startOnHosts, restHost } from './cluster-on-hosts.ts'
import type { CutNetwork } from './cut-network.ts'
import { networkOf } from './own-network.ts'
import { runScenario } from './scenario.ts'
import type { ScenarioOptions, Stage } from './scenario.ts'

export const datanodeHosts: readonly string[] = ['dn1', 'dn2', 'dn3', 'dn4', 'dn5', 'dn6']
const shape = ['--om', '3', '--scm', '3', '--datanodes', '6', '--racks', '3', '--replication', 'RATIS/THREE']
/** In OM, one message, several chunks, several blocks. */
const sizes = [100, 4000, 4097, 20_000, 20_000, 100_000, 300_000, 700_000, 1_500_000, 9_000_000]
/** Small containers close often; a scrub finds a flipped bit within the run. */
const settings = {
  om: ['om.segment=4MiB'],
  scm: ['scm.containerSize=16MiB'],
  datanode: ['hdds.scrub=1m', 'hdds.compactInterval=2s'],
}

/** After a fault that takes copies away. */
const healthyWithinMs = 150_000
const pollMs = 500

interface Machines {
  readonly network: CutNetwork
  readonly directory: string
  /** Where the file system is that fills up. */
  readonly smallDisk: string
  /** Datanodes that have lost their disk for good. */
  readonly lost: Set<string>
}

interface Fault {
  /** Whether it takes copies away. */
  readonly takes: boolean
  readonly play: (stage: Stage, machines: Machines) => Promise<string>
}

const alive = ({ lost }: Machines): readonly string[] => datanodeHosts.filter((id) => !lost.has(id))
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

const killOne: Fault = {
  takes: false,
  play: async ({ cluster, dice }, machines) => {
    const id = dice.pick(alive(machines)) ?? ''
    return cluster.kill(id) ? `killed ${id}` : `${id} was down already`
  },
}

/** Two at once: some pipeline has lost its majority until they are back. */
const killTwo: Fault = {
  takes: false,
  play: async ({ cluster, dice }, machines) => {
    const first = dice.pick(alive(machines)) ?? ''
    const second = dice.pick(alive(machines).filter((id) => id !== first)) ?? ''
    return `killed ${[first, second].filter((id) => cluster.kill(id)).join(' and ')}`
  },
}

const killLeader: Fault = {
  takes: false,
  play: async ({ cluster, dice, lost }) => {
    const id = dice.pick(['om1', 'om2', 'om3', 'scm1', 'scm2', 'scm3']) ?? ''
    if (cluster.kill(id)) lost()
    return `killed ${id}`
  },
}

const stopShortly: Fault = {
  takes: false,
  play: async ({ cluster, dice }, machines) => stopFor({ cluster, dice }, machines, dice.between(200, 8_000)),
}

/** Longer than until it is taken for dead: its copies are made elsewhere, and it comes back with the old ones. */
const stopLong: Fault = {
  takes: true,
  play: async ({ cluster, dice }, machines) => stopFor({ cluster, dice }, machines, dice.between(35_000, 45_000)),
}

async function stopFor({ cluster, dice }: Pick<Stage, 'cluster' | 'dice'>, machines: Machines, forMs: number) {
  const id = dice.pick(alive(machines)) ?? ''
  cluster.stop(id)
  await sleep(forMs)
  cluster.resume(id)
  return `stopped ${id} for ${seconds(forMs)}`
}

const cutOne: Fault = {
  takes: false,
  play: async ({ ledger, dice }, machines) => {
    const id = dice.pick(alive(machines)) ?? ''
    const others = datanodeHosts.filter((other) => other !== id)
    const kinds = {
      'from everybody': [...others, restHost],
      'from the other datanodes': others,
      'from SCM, OM and the clients': [restHost],
    } as const
    const kind = dice.pick(Object.keys(kinds) as (keyof typeof kinds)[]) ?? 'from everybody'
    const way = dice.pick(['both ways', 'as a speaker', 'as a listener']) ?? 'both ways'
    const speaking = kinds[kind].map((other) => [id, other] as const)
    const hearing = kinds[kind].map((other) => [other, id] as const)
    const forMs = dice.between(1_000, 10_000)
    await machines.network.cut([
      ...(way === 'as a listener' ? [] : speaking),
      ...(way === 'as a speaker' ? [] : hearing),
    ])
    ledger.add('cuts')
    await sleep(forMs)
    await machines.network.cut([])
    return `cut ${id} ${kind}, ${way}, for ${seconds(forMs)}`
  },
}

/** In the middle of a container that has something in it. */
const flipBit: Fault = {
  takes: true,
  play: async ({ ledger, dice }, machines) => {
    const files = alive(machines).flatMap((id) => containerFiles(join(diskOf(machines, id), 'containers')))
    const file = dice.pick(files)
    if (file === undefined) return 'flipped nothing: there is no container yet'
    const at = flip(file, dice.fraction())
    if (at === undefined) return `flipped nothing: ${file} is empty`
    ledger.add('flips')
    return `flipped a bit at ${at} of ${file}`
  },
}

function containerFiles(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.cnt'))
    .map((name) => join(directory, name))
}

function flip(path: string, where: number): number | undefined {
  const file = openSync(path, 'r+')
  try {
    const { size } = fstatSync(file)
    if (size < 8192) return undefined
    const at = Math.floor(where * size)
    const byte = Buffer.alloc(1)
    readSync(file, byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ 0x10
    writeSync(file, byte, 0, 1, at)
    return at
  } finally {
    closeSync(file)
  }
}

/** Writes are refused there until there is room again; nothing else happens. */
const fillDisk: Fault = {
  takes: false,
  play: async ({ ledger, dice }, machines) => {
    const filler = join(machines.smallDisk, 'filler')
    await run('sh', ['-c', `cat /dev/zero > ${filler} || true`], {})
    ledger.add('disks')
    const forMs = dice.between(5_000, 20_000)
    await sleep(forMs)
    rmSync(filler)
    return `the disk of ${smallDiskOf} was full for ${seconds(forMs)}`
  },
}

/** The one whose disk is small. */
const smallDiskOf = 'dn6'
const smallDiskBytes = '900m'

function diskOf({ directory, smallDisk }: Machines, id: string): string {
  return join(id === smallDiskOf ? smallDisk : join(directory, id), 'disk')
}

/** For good. Its process runs on, or is killed as well. */
const loseDisk: Fault = {
  takes: true,
  play: async ({ ledger, cluster, dice }, machines) => {
    const id = dice.pick(alive(machines).filter((each) => each !== smallDiskOf)) ?? ''
    const disk = diskOf(machines, id)
    renameSync(disk, `${disk}-gone`)
    machines.lost.add(id)
    cluster.giveUp(id)
    ledger.add('disks')
    const isKilled = dice.chance(0.5) && cluster.kill(id)
    return `took the disk of ${id} away${isKilled ? ' and killed it' : ''}`
  },
}

/** As often as they are here; `loseDisk` comes once, in the middle. */
const faults: readonly Fault[] = [
  killOne,
  killOne,
  killTwo,
  killLeader,
  stopShortly,
  stopShortly,
  stopLong,
  cutOne,
  cutOne,
  cutOne,
  flipBit,
  flipBit,
  fillDisk,
]

async function breakThings(stage: Stage, machines: Machines, forMs: number): Promise<void> {
  const { dice, say } = stage
  const beganMs = performance.now()
  const endMs = beganMs + forMs
  let loseMs = beganMs + forMs / 2
  await untilHealthy(machines, say)
  while (performance.now() < endMs) {
    const isLosing = performance.now() > loseMs
    if (isLosing) loseMs = Infinity
    const fault = isLosing ? loseDisk : (dice.pick(faults) ?? killOne)
    if (fault.takes) await untilHealthy(machines, say)
    const did = await fault.play(stage, machines)
    say(`${seconds(performance.now() - beganMs)}: ${did}`)
    await sleep(dice.between(200, 5_000))
  }
  stage.cluster.heal()
}

/** What SCM says of all containers. */
interface Report {
  readonly counts: Readonly<Record<string, number>>
}

/** While clients write, containers are closed all the time; what they have is in the logs and files of their members. */
const healthy = new Set(['HEALTHY', 'OPEN', 'CLOSING', 'DELETING'])

async function reportOf({ directory, lost }: Machines): Promise<Report> {
  const nodes = await adminOf<NodeRow>(directory, 'datanode', 'list')
  // Until SCM has noticed it counts on what is gone: two of three copies would be taken at the same time.
  const unnoticed = nodes.filter(({ id, health, disks }) => {
    return lost.has(id) && health !== 'DEAD' && disks.some(({ state }) => state !== 'failed')
  })
  if (unnoticed.length > 0) return { counts: { 'lost, and not noticed': unnoticed.length } }
  const [report] = await adminOf<Report>(directory, 'container', 'report')
  return report ?? { counts: { 'no report': 1 } }
}

interface NodeRow {
  readonly id: string
  readonly health: string
  readonly disks: readonly { readonly state: string }[]
}

async function untilHealthy(machines: Machines, say: (line: string) => void): Promise<string> {
  const beganMs = performance.now()
  let told = ''
  for (;;) {
    const { counts } = await reportOf(machines).catch((error: unknown) => ({ counts: { [String(error)]: 1 } }))
    const ill = Object.entries(counts).filter(([state, count]) => count > 0 && !healthy.has(state))
    const tookMs = performance.now() - beganMs
    if (ill.length === 0) return seconds(tookMs)
    const text = ill.map(([state, count]) => `${count} ${state}`).join(', ')
    if (tookMs > healthyWithinMs) throw new Error(`not whole after ${seconds(tookMs)}: ${text}`)
    if (text !== told) say(`      waiting: ${text}`)
    told = text
    await sleep(pollMs)
  }
}

/** On the host of the clients, which `onOwnNetwork` made. */
export async function datanodes(options: ScenarioOptions, prefix: string, forSeconds: number): Promise<void> {
  const network = networkOf(prefix, datanodeHosts)
  const smallDisk = mkdtempSync(join(tmpdir(), 'o3-chaos-small-disk-'))
  let machines: Machines | undefined
  const start = async (directory: string) => {
    machines = { network, directory, smallDisk, lost: new Set() }
    const disks = { [smallDiskOf]: [join(smallDisk, 'disk')] }
    return startOnHosts(directory, { network, shape, hosts: datanodeHosts, settings, disks, restarts: true })
  }
  await run('mount', ['-t', 'tmpfs', '-o', `size=${smallDiskBytes}`, 'tmpfs', smallDisk])
  try {
    const settled = async (say: (line: string) => void): Promise<void> => {
      if (machines === undefined) return
      say(`every container healthy ${await untilHealthy(machines, say)} after the last request`)
    }
    await runScenario({ ...options, sizes, start, settled }, (stage) => {
      if (machines === undefined) throw new Error('the faults come before the cluster')
      return breakThings(stage, machines, forSeconds * 1000)
    })
  } finally {
    await run('umount', [smallDisk])
    rmSync(smallDisk, { recursive: true })
  }
}
