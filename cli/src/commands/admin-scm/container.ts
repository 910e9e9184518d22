/** `o3 admin container …` */

import { StoreError, isStoreError } from '@o3/common/errors'
import type {
  ContainerDetails,
  ContainerHealth,
  DatanodeId,
  ReplicaInfo,
  ReplicationReport,
  ScrubFinding,
} from '@o3/cluster/admin'
import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { bytesText, counted, timeText } from '../../output/quantities.ts'
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
    out.list(
      await control.scm.listContainers({ limit, ...after }),
      [
        { title: 'ID', align: 'right', of: ({ id }) => String(id) },
        { title: 'STATE', of: ({ state }) => state },
        { title: 'REPLICATION', of: ({ replication }) => replication },
        { title: 'USED', align: 'right', of: ({ usedBytes }) => bytesText(usedBytes) },
        { title: 'LIVE', align: 'right', of: ({ liveBytes }) => bytesText(liveBytes) },
        { title: 'REPLICAS', of: ({ datanodes }) => datanodes.join(' ') },
      ],
      after.after === undefined ? 'no containers: nothing has been written' : `no containers after ${after.after}`,
    )
  })
  askScm(container.command('report').description('how whole they are, all together'), env, report)
  askScm(
    container.command('info').argument('<id>').description('all about one, and each of its replicas'),
    env,
    async ({ control, argument, out }) => {
      const found = await control.scm.containerInfo(idOf(argument))
      show(found, await damagesOf(control, found), out)
    },
  )
  askScm(container.command('close').argument('<id>').description('it takes no more blocks'), env, close)
  askScm(container.command('verify').argument('<id>').description('read every byte of every replica, now'), env, verify)
}

async function close({ control, argument, out }: ScmAsked<unknown>): Promise<void> {
  const id = idOf(argument)
  const { info } = await control.scm.containerInfo(id)
  if (info.state !== 'OPEN') return out.done({ id, state: info.state }, `container ${id} is ${info.state} already`)
  await control.scm.closeContainer(id)
  out.done({ id, state: 'CLOSING' }, `container ${id} is being closed`)
}

/** What each means, and whether anybody has to do something. */
const meaning: Readonly<Record<ContainerHealth, string>> = {
  MISSING: 'no good replica is left: start the datanodes that had one',
  QUASI_CLOSED_STUCK: 'too few origins are there to agree: start the others',
  DIFFERING: 'copies are not the same: they take what they lack',
  UNDER_REPLICATED: 'too few copies: more are made',
  UNHEALTHY: 'a damaged replica: it is replaced where others are whole',
  OVER_REPLICATED: 'too many copies: some are deleted',
  MIS_REPLICATED: 'copies on too few racks: they are moved',
  HEALTHY: '',
}

const mostShown = 10

async function report({ control, out }: ScmAsked<unknown>): Promise<void> {
  const found = await control.scm.replicationReport()
  const { states, healths, tasks, blocked, settled } = found
  const { OPEN, CLOSING, DELETING } = states
  const counts = {
    ...Object.fromEntries(healths.map(({ health, containers }) => [health, containers])),
    OPEN,
    CLOSING,
    DELETING,
  }
  const ofHealth = healths
    .filter(({ health, containers }) => containers > 0 || health === 'HEALTHY')
    .flatMap(({ health, containers, sample }): readonly (readonly [string, string])[] => {
      const said = [containers.toLocaleString('en'), meaning[health]].filter((text) => text !== '').join('  ')
      if (health === 'HEALTHY') return [[health, said]]
      const which = sample.slice(0, mostShown).join(' ')
      return [
        [health, said],
        ['', `${which}${containers > mostShown ? ' …' : ''}`],
      ]
    })
  out.record({ ...found, counts }, [
    ...ofHealth,
    ...Object.entries({ OPEN, CLOSING, DELETING })
      .filter(([, count]) => count > 0)
      .map(([state, count]) => [state, count.toLocaleString('en')] as const),
    ['under way', counted(tasks, 'copy', 'copies')],
    ...blockedFacts(blocked),
    ...(settled ? [] : ([['note', 'something has happened that is not judged yet; ask again']] as const)),
  ])
}

/** What waits for a person; why, a fact a line. */
function blockedFacts(blocked: ReplicationReport['blocked']): readonly (readonly [string, string])[] {
  if (blocked === undefined) return []
  const { containers, sample } = blocked
  const which = sample.flatMap(({ container, why }) => {
    const [first = '', ...rest] = why.split('; ')
    return [['', `container ${container}: ${first}`], ...rest.map((text) => ['', `  ${text}`])] as [string, string][]
  })
  return [['stuck', `${counted(containers, 'container')} that nothing can be done for as things are`], ...which]
}

/** What a datanode knows of a replica that does not verify. */
interface Damage {
  readonly datanode: DatanodeId
  readonly findings: readonly ScrubFinding[]
}

/** Of the damaged replicas. One that cannot be asked says nothing: that it is damaged is known all the same. */
async function damagesOf(
  control: ScmAsked<unknown>['control'],
  { info, replicas }: ContainerDetails,
): Promise<readonly Damage[]> {
  const damaged = replicas.filter(({ report: said }) => said?.state === 'UNHEALTHY')
  return await Promise.all(
    damaged.map(async ({ datanode }) => {
      try {
        const all = await (await control.datanode(datanode)).findings()
        return {
          datanode,
          findings: all.filter(({ container, kind }) => container === info.id && kind !== 'quarantined'),
        }
      } catch (error) {
        if (!isStoreError(error)) throw error
        return { datanode, findings: [] }
      }
    }),
  )
}

function idOf(text: string): number {
  const id = countOf(text, 'the id')
  if (id < 1) throw new StoreError('InvalidArgument', 'ids of containers begin with 1')
  return id
}

function show(found: ContainerDetails, damages: readonly Damage[], out: ScmAsked<unknown>['out']): void {
  const { info, origins, replicas, ec, shardOf, pendingDeletions, deletedBlocks } = found
  if (out.json) return out.record(damages.length === 0 ? found : { ...found, damages }, [])
  out.record(found, [
    ['container', String(info.id)],
    ['state', info.state],
    ['replication', info.replication],
    ...(info.pipeline === '' ? [] : ([['pipeline', info.pipeline]] as const)),
    ['written at', origins.join(' ')],
    ...(ec === undefined ? [] : ([['encoded as', `${ec.policy}, containers ${ec.shards.join(' ')}`]] as const)),
    ...(shardOf === undefined ? [] : ([['shard', `${shardOf.index} of container ${shardOf.container}`]] as const)),
    ['deletions to come', String(pendingDeletions)],
    ...(ec === undefined ? [] : ([['deleted, still in its shards', String(deletedBlocks)]] as const)),
    ['created', timeText(info.createdMs)],
    ...damages.flatMap(({ datanode, findings }) =>
      findings.slice(0, mostShown).map(({ message }) => [`damage at ${datanode}`, message] as const),
    ),
  ])
  out.list<ReplicaInfo>(
    replicas,
    [
      { title: 'REPLICA', of: ({ standing }) => standing },
      {
        title: 'STATE',
        of: ({ report: said }) => said?.state ?? (info.state === 'OPEN' ? 'not written' : 'not reported'),
      },
      { title: 'NODE', of: ({ health, operational }) => (operational === 'IN_SERVICE' ? health : operational) },
      { title: 'BLOCKS', align: 'right', of: ({ report }) => String(report?.blockCount ?? '') },
      { title: 'LIVE', align: 'right', of: ({ report }) => (report === undefined ? '' : bytesText(report.liveBytes)) },
      { title: 'CONTENT', of: ({ report }) => report?.contentHash?.slice(0, 8) ?? '' },
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
  const { info, replicas, ec } = await control.scm.containerInfo(id)
  // A replica is made by its first write.
  const isWritten = ({ report }: ReplicaInfo): boolean => report !== undefined || info.state !== 'OPEN'
  if (ec !== undefined) {
    throw new StoreError('InvalidArgument', `container ${id} is encoded: verify ${ec.shards.join(', ')}, its shards`)
  }
  const results: Verified[] = []
  for (const replica of replicas.filter((each) => each.standing !== 'incoming' && isWritten(each))) {
    out.remark(`reading the replica at ${replica.datanode}`)
    results.push(await verifyReplica(control, id, replica))
  }
  out.list(
    results,
    [
      { title: 'REPLICA', of: standingOf },
      { title: 'DATANODE', of: ({ datanode }) => datanode },
      {
        title: 'FOUND',
        of: ({ findings, problem = '' }) => findings.map(({ message }) => message).join('; ') || problem,
      },
    ],
    'nothing has been written to it',
  )
  const damaged = results.filter(({ findings }) => findings.length > 0)
  const unread = results.filter(({ problem }) => problem !== undefined)
  const all = `of the ${results.length} replicas of container ${id}`
  const notRead = unread.length === 0 ? '' : `; ${unread.length} could not be read`
  if (damaged.length > 0) {
    throw new StoreError(
      'Damaged',
      `${damaged.length} ${all} ${damaged.length === 1 ? 'is' : 'are'} damaged${notRead}`,
      {
        details: { try: 'nothing, where others are whole: it is replaced; `o3 admin container report` tells' },
      },
    )
  }
  if (unread.length > 0) throw new StoreError('Unavailable', `${unread.length} ${all} could not be read`)
}

function standingOf({ verified, problem }: Verified): string {
  if (problem !== undefined) return 'not read'
  return verified ? 'verified' : 'DAMAGED'
}

async function verifyReplica(
  control: ScmAsked<unknown>['control'],
  container: number,
  { datanode, health }: ReplicaInfo,
): Promise<Verified> {
  const unread = (problem: string): Verified => ({ datanode, verified: false, findings: [], problem })
  if (health === 'DEAD') return unread('the datanode is dead')
  try {
    const findings = await (await control.datanode(datanode)).scrubContainer(container)
    return { datanode, verified: findings.length === 0, findings }
  } catch (error) {
    if (!isStoreError(error)) throw error
    return unread(error.message)
  }
}
