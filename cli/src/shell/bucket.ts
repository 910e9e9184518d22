/** `o3 sh bucket …` */

import { replicationConfigs } from '@o3/plugin-native/client'
import type { Bucket } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { bytesText, timeText } from '../output/quantities.ts'
import { argument, remote } from '../remote/remote-command.ts'
import { addressText, bucketAddress, volumeAddress } from './address.ts'
import { addListFlags, addQuotaFlags, listOptions, oneOf, quotaOf } from './flags.ts'
import type { ListFlags, QuotaFlags } from './flags.ts'
import { membersText, pairsText, quotaText } from './members.ts'

const rights = ['read', 'write', 'all'] as const

export function addBucket(shell: Command, env: Environment): void {
  const bucket = shell.command('bucket').description('collections of keys')
  addChanges(bucket, env)
  addQuestions(bucket, env)
}

function addChanges(bucket: Command, env: Environment): void {
  const create = bucket.command('create').argument('<address>', '/volume/bucket').description('create a bucket')
  create.option('--replication <how>', `one of ${replicationConfigs.join(', ')} (default: the cluster's)`)
  type CreateFlags = QuotaFlags & { readonly replication?: string }
  remote<CreateFlags>(addQuotaFlags(create, 'bucket'), env, async ({ session, args, flags, out }) => {
    const quota = quotaOf(flags, {})
    const ref = bucketAddress(argument(args, 0))
    const made = await session.buckets.create(ref, {
      ...(quota === undefined ? {} : { quota }),
      ...(flags.replication === undefined
        ? {}
        : { replication: oneOf(flags.replication, replicationConfigs, 'way to replicate') }),
    })
    out.done(made, `created ${addressText(ref)}`)
  })

  const update = bucket
    .command('update')
    .argument('<address>', '/volume/bucket')
    .description('change owner or quota')
    .option('--owner <user>', 'the new owner')
  remote<QuotaFlags & { readonly owner?: string }>(
    addQuotaFlags(update, 'bucket'),
    env,
    async ({ session, args, flags, out }) => {
      const ref = bucketAddress(argument(args, 0))
      const quota = quotaOf(flags, (await session.buckets.info(ref)).quota)
      const changed = await session.buckets.update(ref, {
        ...(flags.owner === undefined ? {} : { owner: flags.owner }),
        ...(quota === undefined ? {} : { quota }),
      })
      out.done(changed, `updated ${addressText(ref)}`)
    },
  )

  const remove = bucket.command('delete').argument('<address>', '/volume/bucket').description('delete an empty bucket')
  remote(remove, env, async ({ session, args, out }) => {
    const ref = bucketAddress(argument(args, 0))
    await session.buckets.delete(ref)
    out.done({ deleted: addressText(ref) }, `deleted ${addressText(ref)}`)
  })

  const allow = bucket
    .command('allow')
    .argument('<address>', '/volume/bucket')
    .argument('<user>', '* for everyone')
    .argument('<right>', rights.join(', '))
    .description('let a user in')
  remote(allow, env, async ({ session, args, out }) => {
    const ref = bucketAddress(argument(args, 0))
    const user = argument(args, 1)
    const right = oneOf(argument(args, 2), rights, 'right on a bucket')
    const changed = await session.buckets.update(ref, { members: { [user]: right } })
    out.done(changed, `${user} has ${right} on ${addressText(ref)}`)
  })

  const deny = bucket
    .command('deny')
    .argument('<address>', '/volume/bucket')
    .argument('<user>')
    .description("take a user's right back")
  remote(deny, env, async ({ session, args, out }) => {
    const ref = bucketAddress(argument(args, 0))
    const user = argument(args, 1)
    const changed = await session.buckets.update(ref, { members: { [user]: null } })
    out.done(changed, `${user} has no right on ${addressText(ref)} any more`)
  })
}

function addQuestions(bucket: Command, env: Environment): void {
  const list = bucket.command('list').argument('<address>', '/volume').description('those that you may see')
  remote<ListFlags>(addListFlags(list), env, async ({ session, args, flags, out }) => {
    const volume = volumeAddress(argument(args, 0))
    const { items, truncated } = await session.buckets.list(volume, listOptions(flags))
    out.list(
      items,
      [
        { title: 'SIZE', align: 'right', of: ({ usage }) => bytesText(usage.bytes) },
        { title: 'KEYS', align: 'right', of: ({ usage }) => String(usage.keys) },
        { title: 'CREATED', of: ({ createdMs }) => timeText(createdMs) },
        { title: 'OWNER', of: ({ owner }) => owner },
        { title: 'BUCKET', of: ({ name }) => `/${volume}/${name}` },
      ],
      `no buckets in /${volume} that you may see`,
    )
    if (truncated) out.remark(`more follow: --after ${items.at(-1)?.name ?? ''}`)
  })

  const info = bucket.command('info').argument('<address>', '/volume/bucket').description('all about one bucket')
  remote(info, env, async ({ session, args, out }) => {
    const found = await session.buckets.info(bucketAddress(argument(args, 0)))
    out.record(found, facts(found))
  })
}

function facts(bucket: Bucket): readonly (readonly [string, string])[] {
  const { usage } = bucket
  return [
    ['bucket', `/${bucket.volume}/${bucket.name}`],
    ['owner', bucket.owner],
    ['keys', String(usage.keys)],
    ['size', `${bytesText(usage.bytes)} (${usage.bytes} bytes)`],
    ['uploads', String(bucket.uploads)],
    ['replication', bucket.replication],
    ['quota', quotaText(bucket.quota)],
    ['members', membersText(bucket.members)],
    ['tags', pairsText(bucket.tags)],
    ['metadata', pairsText(bucket.metadata)],
    ['created', timeText(bucket.createdMs)],
    ['modified', timeText(bucket.modifiedMs)],
  ]
}
