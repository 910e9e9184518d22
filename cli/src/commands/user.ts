/** `o3 user …`: who may come in. */

import type { User } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { timeText } from '../output/quantities.ts'
import type { Column } from '../output/output.ts'
import { argument, remote } from '../remote/remote-command.ts'
import { addListFlags, listOptions } from '../shell/flags.ts'
import type { ListFlags } from '../shell/flags.ts'

const columns: readonly Column<User>[] = [
  { title: 'CREATED', of: ({ createdMs }) => timeText(createdMs) },
  { title: 'ROLE', of: ({ admin }) => (admin ? 'administrator' : 'user') },
  { title: 'STATE', of: ({ enabled }) => (enabled ? 'enabled' : 'disabled') },
  { title: 'USER', of: ({ name }) => name },
]

export function addUser(program: Command, env: Environment): void {
  const user = program.command('user').description('who may come in; for administrators')
  const create = user
    .command('create')
    .argument('<name>')
    .description('create a user; `o3 key-pair create` makes the keys')
    .option('--admin', 'an administrator')
    .option('--allow <volume>', 'may create buckets there, as in s3v (repeatable)', gather)
  remote<{ readonly admin?: boolean; readonly allow?: readonly string[] }>(
    create,
    env,
    async ({ session, args, flags, out }) => {
      const name = argument(args, 0)
      const made = await session.identities.createUser(name, { admin: flags.admin === true })
      const volumes = (flags.allow ?? []).map((volume) => volume.replace(/^\//, ''))
      for (const volume of volumes) await session.volumes.update(volume, { members: { [name]: 'create-bucket' } })
      const allowed = volumes.length === 0 ? '' : `, who may create buckets in ${volumes.join(', ')}`
      out.done(made, `created ${name}${allowed}; \`o3 key-pair create ${name}\` makes the keys`)
    },
  )

  const list = user.command('list').description('every user')
  remote<ListFlags>(addListFlags(list), env, async ({ session, flags, out }) => {
    const { limit, after } = listOptions(flags)
    const { items, truncated } = await session.identities.listUsers(after === undefined ? { limit } : { limit, after })
    out.list(items, columns)
    if (truncated) out.remark(`more follow: --after ${items.at(-1)?.name ?? ''}`)
  })

  const info = user.command('info').argument('<name>').description('one user')
  remote(info, env, async ({ session, args, out }) => {
    const found = await session.identities.getUser(argument(args, 0))
    out.record(
      found,
      columns.toReversed().map(({ title, of }) => [title.toLowerCase(), of(found)]),
    )
  })

  for (const [verb, enabled, description] of [
    ['enable', true, 'let a user in again'],
    ['disable', false, 'refuse every request of a user, from now on'],
  ] as const) {
    const change = user.command(verb).argument('<name>').description(description)
    remote(change, env, async ({ session, args, out }) => {
      const name = argument(args, 0)
      out.done(await session.identities.updateUser(name, { enabled }), `${verb}d ${name}`)
    })
  }

  const remove = user.command('delete').argument('<name>').description('delete a user who owns nothing, with all keys')
  remote(remove, env, async ({ session, args, out }) => {
    const name = argument(args, 0)
    await session.identities.deleteUser(name)
    out.done({ deleted: name }, `deleted ${name}`)
  })
}

function gather(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
