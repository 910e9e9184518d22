/** `o3 key-pair …`: access keys and their secrets. */

import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { timeText } from '../output/quantities.ts'
import { argument, remote } from '../remote/remote-command.ts'
import { addListFlags, listOptions } from '../shell/flags.ts'
import type { ListFlags } from '../shell/flags.ts'

export function addKeyPair(program: Command, env: Environment): void {
  const pair = program.command('key-pair').description('access keys and their secrets')
  const create = pair
    .command('create')
    .argument('[user]', 'default: you')
    .description('make an access key; its secret is shown once')
  remote(create, env, async ({ session, args, out }) => {
    const user = args[0] === undefined ? session.principal.user : argument(args, 0)
    const made = await session.identities.createAccessKey(user)
    out.record({ ...made, user }, [
      ['user', user],
      ['access key', made.id],
      ['secret key', made.secret],
    ])
    if (!out.json) out.remark('The secret is shown now and never again.')
  })

  const list = pair.command('list').description("yours; an administrator's: all").option('--user <name>', 'only theirs')
  remote<ListFlags & { readonly user?: string }>(addListFlags(list), env, async ({ session, flags, out }) => {
    const { limit, after } = listOptions(flags)
    const { items, truncated } = await session.identities.listAccessKeys({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(flags.user === undefined ? {} : { user: flags.user }),
    })
    out.list(items, [
      { title: 'CREATED', of: ({ createdMs }) => timeText(createdMs) },
      { title: 'STATE', of: ({ enabled }) => (enabled ? 'enabled' : 'disabled') },
      { title: 'ACCESS KEY', of: ({ id }) => id },
      { title: 'USER', of: ({ user }) => user },
    ])
    if (truncated) out.remark(`more follow: --after ${items.at(-1)?.id ?? ''}`)
  })

  for (const [verb, enabled, description] of [
    ['enable', true, 'accept an access key again'],
    ['disable', false, 'refuse an access key, from now on'],
  ] as const) {
    const change = pair.command(verb).argument('<id>').description(description)
    remote(change, env, async ({ session, args, out }) => {
      const id = argument(args, 0)
      await session.identities.updateAccessKey(id, { enabled })
      out.done({ id, enabled }, `${verb}d ${id}`)
    })
  }

  const remove = pair.command('delete').argument('<id>').description('delete an access key')
  remote(remove, env, async ({ session, args, out }) => {
    const id = argument(args, 0)
    await session.identities.deleteAccessKey(id)
    out.done({ deleted: id }, `deleted ${id}`)
  })
}
