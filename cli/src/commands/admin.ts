/** `o3 admin …`: what is behind the names. */

import type { ContainerInfo, DatanodeInfo } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { bytesText } from '../output/quantities.ts'
import { remote } from '../remote/remote-command.ts'
import { countOf } from '../shell/flags.ts'
import { addAdminGroup } from './admin-group.ts'
import { addBalancer } from './admin-scm/balancer.ts'
import { addContainer } from './admin-scm/container.ts'
import { addDatanode } from './admin-scm/datanode.ts'
import { addPipeline } from './admin-scm/pipeline.ts'
import { addDeletedBlocks, addSafemode } from './admin-scm/safemode.ts'

export function addAdmin(program: Command, env: Environment): void {
  const admin = program.command('admin').description('groups, nodes and containers; for administrators')
  addAdminGroup(admin, env, 'om')
  addDeletedBlocks(addAdminGroup(admin, env, 'scm'), env)
  addDatanode(admin, env)
  addContainer(admin, env)
  addPipeline(admin, env)
  addSafemode(admin, env)
  addBalancer(admin, env)
  remote(admin.command('summary').description('space and containers'), env, async ({ session, out }) => {
    const summary = await session.admin.summary()
    const { containers, totalBytes, availableBytes, pendingDeletionBlocks } = summary
    out.record(summary, [
      ['space', `${bytesText(availableBytes)} of ${bytesText(totalBytes)} free`],
      ...Object.entries(containers)
        .filter(([, count]) => count > 0)
        .map(([state, count]) => [`containers ${state}`, String(count)] as const),
      ['blocks to be deleted', String(pendingDeletionBlocks)],
    ])
  })

  remote(admin.command('nodes').description('datanodes and their disks'), env, async ({ session, out }) => {
    const nodes = await session.admin.nodes()
    if (out.json) return out.list(nodes, [])
    const disks = nodes.flatMap((node) => node.disks.map((disk) => ({ node, disk })))
    out.list<{ readonly node: DatanodeInfo; readonly disk: DatanodeInfo['disks'][number] }>(disks, [
      { title: 'HEALTH', of: ({ node }) => node.health },
      { title: 'DISK', of: ({ disk }) => disk.state },
      { title: 'USED', align: 'right', of: ({ disk }) => bytesText(disk.usedBytes) },
      { title: 'FREE', align: 'right', of: ({ disk }) => bytesText(disk.availableBytes) },
      { title: 'NODE', of: ({ node }) => node.id.slice(0, 8) },
      { title: 'PATH', of: ({ disk }) => disk.path },
    ])
  })

  const containers = admin
    .command('containers')
    .description('containers in order of their ids')
    .option('--after <id>', 'only ids after this one')
    .option('--limit <n>', 'at most so many', '1000')
  remote<{ readonly after?: string; readonly limit: string }>(containers, env, async ({ session, flags, out }) => {
    const limit = countOf(flags.limit, '--limit')
    const after = flags.after === undefined ? {} : { after: countOf(flags.after, '--after') }
    out.list<ContainerInfo>(await session.admin.containers({ limit, ...after }), [
      { title: 'ID', align: 'right', of: ({ id }) => String(id) },
      { title: 'STATE', of: ({ state }) => state },
      { title: 'REPLICATION', of: ({ replication }) => replication },
      { title: 'USED', align: 'right', of: ({ usedBytes }) => bytesText(usedBytes) },
      { title: 'LIVE', align: 'right', of: ({ liveBytes }) => bytesText(liveBytes) },
    ])
  })
}
