/** `o3 sh volume …` */

import type { Volume } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { bytesText, timeText } from '../output/quantities.ts'
import { argument, remote } from '../remote/remote-command.ts'
import { volumeAddress } from './address.ts'
import { addListFlags, addQuotaFlags, listOptions, oneOf, quotaOf } from './flags.ts'
import type { ListFlags, QuotaFlags } from './flags.ts'
import { membersText, pairsText, quotaText } from './members.ts'

const rights = ['read', 'create-bucket', 'all'] as const

export function addVolume(shell: Command, env: Environment): void {
  const volume = shell.command('volume').description('homes of buckets; only administrators create them')
  addChanges(volume, env)
  addQuestions(volume, env)
}

function addChanges(volume: Command, env: Environment): void {
  const create = volume
    .command('create')
    .argument('<address>', '/volume')
    .description('create a volume')
    .option('--owner <user>', 'default: you')
  remote<QuotaFlags & { readonly owner?: string }>(
    addQuotaFlags(create, 'volume'),
    env,
    async ({ session, args, flags, out }) => {
      const quota = quotaOf(flags, {})
      const made = await session.volumes.create(volumeAddress(argument(args, 0)), {
        ...(flags.owner === undefined ? {} : { owner: flags.owner }),
        ...(quota === undefined ? {} : { quota }),
      })
      out.done(made, `created /${made.name}, owned by ${made.owner}`)
    },
  )

  const update = volume
    .command('update')
    .argument('<address>', '/volume')
    .description('change owner or quota')
    .option('--owner <user>', 'the new owner')
  remote<QuotaFlags & { readonly owner?: string }>(
    addQuotaFlags(update, 'volume'),
    env,
    async ({ session, args, flags, out }) => {
      const name = volumeAddress(argument(args, 0))
      const quota = quotaOf(flags, (await session.volumes.info(name)).quota)
      const changed = await session.volumes.update(name, {
        ...(flags.owner === undefined ? {} : { owner: flags.owner }),
        ...(quota === undefined ? {} : { quota }),
      })
      out.done(changed, `updated /${name}`)
    },
  )

  const remove = volume.command('delete').argument('<address>', '/volume').description('delete an empty volume')
  remote(remove, env, async ({ session, args, out }) => {
    const name = volumeAddress(argument(args, 0))
    await session.volumes.delete(name)
    out.done({ deleted: `/${name}` }, `deleted /${name}`)
  })

  const allow = volume
    .command('allow')
    .argument('<address>', '/volume')
    .argument('<user>', '* for everyone')
    .argument('<right>', rights.join(', '))
    .description('let a user in')
  remote(allow, env, async ({ session, args, out }) => {
    const name = volumeAddress(argument(args, 0))
    const user = argument(args, 1)
    const right = oneOf(argument(args, 2), rights, 'right on a volume')
    const changed = await session.volumes.update(name, { members: { [user]: right } })
    out.done(changed, `${user} has ${right} on /${name}`)
  })

  const deny = volume
    .command('deny')
    .argument('<address>', '/volume')
    .argument('<user>')
    .description("take a user's right back")
  remote(deny, env, async ({ session, args, out }) => {
    const name = volumeAddress(argument(args, 0))
    const user = argument(args, 1)
    const changed = await session.volumes.update(name, { members: { [user]: null } })
    out.done(changed, `${user} has no right on /${name} any more`)
  })
}

function addQuestions(volume: Command, env: Environment): void {
  const list = volume.command('list').description('those that you may see')
  remote<ListFlags>(addListFlags(list), env, async ({ session, flags, out }) => {
    const { items, truncated } = await session.volumes.list(listOptions(flags))
    out.list(
      items,
      [
        { title: 'SIZE', align: 'right', of: ({ usage }) => bytesText(usage.bytes) },
        { title: 'KEYS', align: 'right', of: ({ usage }) => String(usage.keys) },
        { title: 'BUCKETS', align: 'right', of: ({ usage }) => String(usage.buckets) },
        { title: 'CREATED', of: ({ createdMs }) => timeText(createdMs) },
        { title: 'OWNER', of: ({ owner }) => owner },
        { title: 'VOLUME', of: ({ name }) => `/${name}` },
      ],
      'no volumes that you may see',
    )
    if (truncated) out.remark(`more follow: --after ${items.at(-1)?.name ?? ''}`)
  })

  const info = volume.command('info').argument('<address>', '/volume').description('all about one volume')
  remote(info, env, async ({ session, args, out }) => {
    const found = await session.volumes.info(volumeAddress(argument(args, 0)))
    out.record(found, facts(found))
  })
}

function facts(volume: Volume): readonly (readonly [string, string])[] {
  const { usage } = volume
  return [
    ['volume', `/${volume.name}`],
    ['owner', volume.owner],
    ['buckets', String(usage.buckets)],
    ['keys', String(usage.keys)],
    ['size', `${bytesText(usage.bytes)} (${usage.bytes} bytes)`],
    ['quota', quotaText(volume.quota)],
    ['members', membersText(volume.members)],
    ['metadata', pairsText(volume.metadata)],
    ['created', timeText(volume.createdMs)],
    ['modified', timeText(volume.modifiedMs)],
  ]
}
