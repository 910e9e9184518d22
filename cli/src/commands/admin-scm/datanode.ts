/** `o3 admin datanode …` */

import { parseDuration } from '@o3/common/config'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { DatanodeInfo, NodeOperationalState, OperationalRequest } from '@o3/cluster/admin'
import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { aboutText, bytesText, timeText } from '../../output/quantities.ts'
import { hinted } from '../../hints.ts'
import { until } from '../../output/until.ts'
import { askScm } from './define.ts'
import type { ScmAsked } from './define.ts'

interface LeaveFlags {
  readonly force?: boolean
  /** Commander's spelling of `--no-wait`. */
  readonly wait: boolean
  readonly for?: string
}

export function addDatanode(admin: Command, env: Environment): void {
  const datanode = admin.command('datanode').description('who keeps the bytes: their health, and taking them out')
  askScm(datanode.command('list').description('each datanode, with its space'), env, async ({ control, out }) => {
    out.list(await control.scm.listNodes(), [
      { title: 'HEALTH', of: ({ health }) => health },
      { title: 'STATE', of: ({ operational }) => operational },
      { title: 'REPLICAS', align: 'right', of: ({ containers = 0 }) => String(containers) },
      { title: 'DISKS', align: 'right', of: disksText },
      { title: 'USED', align: 'right', of: (node) => bytesText(sum(node, 'usedBytes')) },
      { title: 'FREE', align: 'right', of: (node) => bytesText(sum(node, 'availableBytes')) },
      { title: 'RACK', of: ({ rack = '' }) => rack },
      { title: 'ID', of: ({ id }) => id },
    ])
  })
  const info = datanode.command('info').argument('<id>').description('all about one')
  askScm(info, env, async ({ control, argument, out }) => {
    const node = find(await control.scm.listNodes(), argument)
    out.record(node, facts(node))
  })
  addLeaving(datanode, env)
}

function addLeaving(datanode: Command, env: Environment): void {
  const line = (name: string, description: string): Command =>
    datanode
      .command(name)
      .argument('<id>')
      .description(description)
      .option('--force', 'though too few may be left for what is kept: it then waits for others to copy to')
      .option('--no-wait', 'only begin; `o3 admin datanode info` tells how far it is')
  askScm<LeaveFlags>(line('decommission', 'copy what it has to others, then let it go for good'), env, (asked) =>
    leave(asked, 'DECOMMISSIONED'),
  )
  askScm<LeaveFlags>(
    line('maintenance', 'let it go for a while: fewer copies are enough until it is back').option(
      '--for <duration>',
      'back in service by itself after that, e.g. 4h',
    ),
    env,
    (asked) => leave(asked, 'IN_MAINTENANCE'),
  )
  const back = datanode.command('recommission').argument('<id>').description('take it back into service')
  askScm(back, env, async ({ control, argument, out }) => {
    find(await control.scm.listNodes(), argument)
    await control.scm.setOperational({ datanode: argument, wanted: 'IN_SERVICE' })
    out.done({ id: argument, operational: 'IN_SERVICE' }, `${argument} is in service`)
  })
}

const onTheWay: Readonly<Record<'DECOMMISSIONED' | 'IN_MAINTENANCE', string>> = {
  DECOMMISSIONED: 'decommission',
  IN_MAINTENANCE: 'maintenance',
}

async function leave(
  { control, argument, flags, out }: ScmAsked<LeaveFlags>,
  wanted: 'DECOMMISSIONED' | 'IN_MAINTENANCE',
): Promise<void> {
  const { scm } = control
  const request: OperationalRequest = {
    datanode: argument,
    wanted,
    ...(flags.for === undefined ? {} : { untilMs: nodeEnv().clock.wallMs() + durationOf(flags.for) }),
    ...(flags.force === true ? { force: true } : {}),
  }
  const look = async (): Promise<DatanodeInfo> => find(await scm.listNodes(), argument)
  await look()
  await begin(scm, request)
  if (!flags.wait) {
    const { operational } = await look()
    return out.done({ id: argument, operational }, `${argument} is ${operational}`)
  }
  out.remark(`${onTheWay[wanted]}: ${argument} leaves; that goes on when this command is interrupted`)
  let first = 0
  const tell = (node: DatanodeInfo): string | undefined => {
    first = Math.max(first, node.departure?.containersLeft ?? 0)
    return `${onTheWay[wanted]}: ${progressText(node, first)}`
  }
  const left = await until(look, ({ operational }) => isThere(operational, wanted), tell, out)
  if (left.operational !== wanted) {
    throw new StoreError('ConcurrentChange', `${argument} is ${left.operational}: somebody has taken it back`)
  }
  out.done({ id: argument, operational: wanted }, `${argument} is ${wanted}; its process can be stopped`)
}

/** What is refused although it could be forced says so. */
async function begin(scm: ScmAsked<LeaveFlags>['control']['scm'], request: OperationalRequest): Promise<void> {
  try {
    await scm.setOperational(request)
  } catch (error) {
    if (!isStoreError(error, 'InvalidArgument')) throw error
    throw hinted(error, 'add a datanode, or take another one back; --force does it all the same')
  }
}

function durationOf(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  throw new StoreError('InvalidArgument', `--for ${text}: write a duration, like 4h`)
}

/** Or somebody has called it off. */
function isThere(operational: NodeOperationalState, wanted: NodeOperationalState): boolean {
  return operational === wanted || operational === 'IN_SERVICE'
}

/** `312 of 1,204 containers left, about 4 min`. */
function progressText({ departure, operational }: DatanodeInfo, first: number): string {
  if (departure === undefined) return `${operational}, what it has is being looked through`
  const { containersLeft, bytesLeft, estimatedSeconds } = departure
  const about = estimatedSeconds === undefined ? '' : `, about ${aboutText(estimatedSeconds)}`
  const of = first > containersLeft ? ` of ${first.toLocaleString('en')}` : ''
  const bytes = bytesLeft > 0 ? ` (${bytesText(bytesLeft)})` : ''
  return `${containersLeft.toLocaleString('en')}${of} ${containersLeft === 1 && of === '' ? 'container' : 'containers'} left${bytes}${about}`
}

/** `InvalidArgument`. */
function find(nodes: readonly DatanodeInfo[], id: string): DatanodeInfo {
  const found = nodes.find((node) => node.id === id)
  if (found !== undefined) return found
  throw new StoreError('InvalidArgument', `there is no datanode ${id}; there are ${nodes.map((n) => n.id).join(', ')}`)
}

/** `2/3`: so many of those that it has take part. A full one does, for reading. */
function disksText({ disks }: DatanodeInfo): string {
  const usable = disks.filter(({ state }) => state !== 'failed').length
  return usable === disks.length ? String(usable) : `${usable}/${disks.length}`
}

function sum({ disks }: DatanodeInfo, what: 'usedBytes' | 'availableBytes' | 'totalBytes'): number {
  return disks.reduce((total, disk) => total + disk[what], 0)
}

function facts(node: DatanodeInfo): readonly (readonly [string, string])[] {
  const { rack = '', pipelines = 0, containers = 0, maintenanceUntilMs, departure } = node
  return [
    ['datanode', node.id],
    ['address', node.address],
    ['rack', rack],
    ['health', node.health],
    ['state', node.operational],
    ...(departure === undefined ? [] : ([['leaving', progressText(node, departure.containersLeft)]] as const)),
    ...(maintenanceUntilMs === undefined ? [] : ([['until', timeText(maintenanceUntilMs)]] as const)),
    ['replicas', String(containers)],
    ['pipelines', String(pipelines)],
    ['last heard', node.lastHeartbeatMs === 0 ? 'never by this leader' : timeText(node.lastHeartbeatMs)],
    ['registered', timeText(node.registeredMs)],
    ...node.disks.flatMap((disk) => [['disk', disk.path] as const, ...diskFacts(disk)]),
  ]
}

/** One that does not take part says nothing of its space. */
function diskFacts({
  state,
  problem,
  usedBytes,
  availableBytes,
  totalBytes,
}: DatanodeInfo['disks'][number]): readonly (readonly [string, string])[] {
  const space = `${bytesText(usedBytes)} used, ${bytesText(availableBytes)} of ${bytesText(totalBytes)} free`
  if (state !== 'failed') return [['', `${state}, ${space}`]]
  const why = problem === undefined ? [] : ([['', problem]] as const)
  return [['', totalBytes === 0 ? 'FAILED' : `FAILED: takes no more writes; ${space}`], ...why]
}
