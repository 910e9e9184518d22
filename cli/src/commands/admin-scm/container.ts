/** `o3 admin container …` */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { ContainerDetails, DatanodeId, ReplicaInfo, ScrubFinding } from '@o3/cluster/admin'
import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { bytesText, timeText } from '../../output/quantities.ts'
import { countOf } from '../../shell/flags.ts'
import { askScm } from './define.ts'
import type { ScmAsked } from './define.ts'

export function addContainer(admin: Command, env: Environment): void {
  const container = admin.command('container').description('the units of replication')
  const list = container
    .command('list')
    .description('in the order of their ids')
    .option('--after <id>', 'only ids after this one')
    .option('--limit <n>', 'at most so many', '1000')
  askScm<{ readonly after?: string; readonly limit: string }>(list, env, async ({ control, flags, out }) => {
    const limit = countOf(flags.limit, '--limit')
    const after = flags.after === undefined ? {} : { after: countOf(flags.after, '--after') }
    out.list(await control.scm.listContainers({ limit, ...after }), [
      { title: 'ID', align: 'right', of: ({ id }) => String(id) },
      { title: 'STATE', of: ({ state }) => state },
      { title: 'REPLICATION', of: ({ replication }) => replication },
      { title: 'USED', align: 'right', of: ({ usedBytes }) => bytesText(usedBytes) },
      { title: 'LIVE', align: 'right', of: ({ liveBytes }) => bytesText(liveBytes) },
      { title: 'REPLICAS', of: ({ datanodes }) => datanodes.join(' ') },
    ])
  })
  askScm(container.command('report').description('how whole they are, all together'), env, report)
  askScm(
    container.command('info').argument('<id>').description('all about one, and each of its replicas'),
    env,
    async ({ control, argument, out }) => show(await control.scm.containerInfo(idOf(argument)), out),
  )
  askScm(
    container.command('close').argument('<id>').description('it takes no more blocks'),
    env,
    async ({ control, argument, out }) => {
      await control.scm.closeContainer(idOf(argument))
      out.done({ id: idOf(argument), state: 'CLOSING' }, `container ${argument} is being closed`)
    },
  )
  askScm(container.command('verify').argument('<id>').description('read every byte of every replica, now'), env, verify)
}

async function report({ control, out }: ScmAsked<unknown>): Promise<void> {
  const found = await control.scm.replicationReport()
  const { states, healths, tasks, settled } = found
  const counts = {
    ...Object.fromEntries(healths.map(({ health, containers }) => [health, containers])),
    OPEN: states.OPEN,
    CLOSING: states.CLOSING,
    DELETING: states.DELETING,
  }
  const ill = healths.filter(({ health, containers }) => health !== 'HEALTHY' && containers > 0)
  out.record({ ...found, counts }, [
    ...Object.entries(counts)
      .filter(([state, count]) => count > 0 || state === 'HEALTHY')
      .map(([state, count]) => [state, String(count)] as const),
    ['under way', `${tasks} ${tasks === 1 ? 'copy' : 'copies'}`],
    ...(settled ? [] : ([['note', 'something has happened that is not judged yet']] as const)),
    ...ill.map(({ health, sample }) => [`  ${health}`, sample.slice(0, 10).join(' ')] as const),
  ])
}

function idOf(text: string): number {
  const id = countOf(text, 'the id')
  if (id < 1) throw new StoreError('InvalidArgument', 'ids of containers begin with 1')
  return id
}

function show(found: ContainerDetails, out: ScmAsked<unknown>['out']): void {
  const { info, origins, replicas, ec, shardOf, pendingDeletions } = found
  if (out.json) return out.record(found, [])
  out.record(found, [
    ['container', String(info.id)],
    ['state', info.state],
    ['replication', info.replication],
    ...(info.pipeline === '' ? [] : ([['pipeline', info.pipeline]] as const)),
    ['written at', origins.join(' ')],
    ...(ec === undefined ? [] : ([['encoded as', `${ec.policy}, containers ${ec.shards.join(' ')}`]] as const)),
    ...(shardOf === undefined ? [] : ([['shard', `${shardOf.index} of container ${shardOf.container}`]] as const)),
    ['deletions to come', String(pendingDeletions)],
    ['created', timeText(info.createdMs)],
  ])
  out.list<ReplicaInfo>(
    replicas,
    [
      { title: 'REPLICA', of: ({ standing }) => standing },
      { title: 'STATE', of: ({ report }) => report?.state ?? 'not reported' },
      { title: 'NODE', of: ({ health }) => health },
      { title: 'BLOCKS', align: 'right', of: ({ report }) => String(report?.blockCount ?? '') },
      { title: 'LIVE', align: 'right', of: ({ report }) => (report === undefined ? '' : bytesText(report.liveBytes)) },
      { title: 'CONTENT', of: ({ report }) => report?.contentHash ?? '' },
      { title: 'DATANODE', of: ({ datanode }) => datanode },
    ],
    'no replica is known',
  )
}

interface Verified {
  readonly datanode: DatanodeId
  readonly verified: boolean
  readonly findings: readonly ScrubFinding[]
  /** Why it could not be read. */
  readonly problem?: string
}

async function verify({ control, argument, out }: ScmAsked<unknown>): Promise<void> {
  const id = idOf(argument)
  const { replicas, ec } = await control.scm.containerInfo(id)
  if (ec !== undefined) {
    throw new StoreError('InvalidArgument', `container ${id} is encoded: verify ${ec.shards.join(', ')}, its shards`)
  }
  const results: Verified[] = []
  for (const { datanode } of replicas) {
    out.remark(`reading the replica at ${datanode}`)
    results.push(await verifyReplica(control, id, datanode))
  }
  out.list(results, [
    { title: 'REPLICA', of: ({ verified }) => (verified ? 'verified' : 'NOT verified') },
    { title: 'DATANODE', of: ({ datanode }) => datanode },
    {
      title: 'FOUND',
      of: ({ findings, problem = '' }) => findings.map(({ message }) => message).join('; ') || problem,
    },
  ])
  const bad = results.filter(({ verified }) => !verified)
  if (bad.length > 0) {
    throw new StoreError('Damaged', `${bad.length} of ${results.length} replicas of container ${id} did not verify`)
  }
}

async function verifyReplica(
  control: ScmAsked<unknown>['control'],
  container: number,
  datanode: DatanodeId,
): Promise<Verified> {
  try {
    const findings = await (await control.datanode(datanode)).scrubContainer(container)
    return { datanode, verified: findings.length === 0, findings }
  } catch (error) {
    if (!isStoreError(error)) throw error
    return { datanode, verified: false, findings: [], problem: error.message }
  }
}
