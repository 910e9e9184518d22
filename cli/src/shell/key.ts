/** `o3 sh key …`: names; the bytes are in `transfer.ts`. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { KeyInfo, ListedKey } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import { exitCodes } from '../command-line.ts'
import type { Environment } from '../command-line.ts'
import { bytesText, orDash, timeText } from '../output/quantities.ts'
import { argument, remote } from '../remote/remote-command.ts'
import { addressText, bucketAddress, keyAddress } from './address.ts'
import { addListFlags, listOptions } from './flags.ts'
import type { ListFlags } from './flags.ts'
import { pairsText } from './members.ts'
import { addTransfers } from './transfer.ts'

export function addKey(shell: Command, env: Environment): void {
  const key = shell.command('key').description('named bytes')
  addTransfers(key, env)
  addQuestions(key, env)
  addChanges(key, env)
}

function addQuestions(key: Command, env: Environment): void {
  const list = key
    .command('list')
    .argument('<address>', '/volume/bucket')
    .description('keys in byte order of their names')
    .option('--delimiter <text>', 'names are cut at the first one behind the prefix, as with `/`')
  remote<ListFlags & { readonly delimiter?: string }>(
    addListFlags(list),
    env,
    async ({ session, args, flags, out }) => {
      const ref = bucketAddress(argument(args, 0))
      const delimiter = flags.delimiter === undefined ? {} : { delimiter: flags.delimiter }
      const { items, truncated } = await session.keys.list(ref, { ...listOptions(flags), ...delimiter })
      out.list(
        items.map((entry) => (entry.kind === 'key' ? entry.key : entry)),
        [
          { title: 'SIZE', align: 'right', of: (entry) => ('prefix' in entry ? '-' : bytesText(entry.size)) },
          { title: 'MODIFIED', of: (entry) => ('prefix' in entry ? '-' : timeText(entry.modifiedMs)) },
          { title: 'KEY', of: (entry) => ('prefix' in entry ? entry.prefix : entry.name) },
        ],
        `no keys in ${addressText(ref)}`,
      )
      if (truncated) out.remark(`more follow: --after '${nameOf(items.at(-1))}'`)
    },
  )

  const info = key.command('info').argument('<address>', '/volume/bucket/key').description('all about one key')
  remote(info, env, async ({ session, args, out }) => {
    const ref = keyAddress(argument(args, 0))
    const found = (await session.keys.head(ref)).info
    out.record(found, facts(addressText(ref), found))
  })
}

function nameOf(entry: ListedKey | undefined): string {
  if (entry === undefined) return ''
  return entry.kind === 'key' ? entry.key.name : entry.prefix
}

function facts(address: string, info: KeyInfo): readonly (readonly [string, string])[] {
  const { checksum, parts } = info
  return [
    ['key', address],
    ['size', `${bytesText(info.size)} (${info.size} bytes)`],
    ['etag', info.etag],
    ['checksum', checksum === undefined ? '-' : `${checksum.algorithm} ${checksum.value} (${checksum.type})`],
    ['type', orDash(info.contentType ?? '')],
    ['owner', info.owner],
    ['modified', timeText(info.modifiedMs)],
    ['parts', parts === undefined ? '-' : String(parts.length)],
    ['headers', pairsText(info.headers)],
    ['metadata', pairsText(info.metadata)],
    ['tags', pairsText(info.tags)],
  ]
}

function addChanges(key: Command, env: Environment): void {
  const remove = key
    .command('delete')
    .argument('<address...>', '/volume/bucket/key, one or more')
    .description('delete keys; one that is not there is a failure')
  remote(remove, env, async ({ session, args, out }) => {
    const addresses = (args[0] as readonly string[]).map(keyAddress)
    let missing = 0
    for (const ref of addresses) {
      const { existed } = await session.keys.delete(ref)
      const address = addressText(ref)
      if (existed) out.done({ deleted: address }, `deleted ${address}`)
      else {
        missing++
        process.stderr.write(`o3: there is no ${address}\n`)
      }
    }
    if (missing > 0) process.exitCode = missing === addresses.length ? exitCodes.notFound : exitCodes.partial
  })

  const copy = key
    .command('cp')
    .argument('<from>', '/volume/bucket/key')
    .argument('<to>', '/volume/bucket/key')
    .description('copy a key; no bytes move')
  remote(copy, env, async ({ session, args, out }) => {
    const from = keyAddress(argument(args, 0))
    const to = keyAddress(argument(args, 1))
    const { info } = await session.keys.copy(from, to, { preconditions: {} })
    out.done(info, `copied ${addressText(from)} to ${addressText(to)} (${bytesText(info.size)})`)
  })

  const rename = key
    .command('rename')
    .argument('<from>', '/volume/bucket/key')
    .argument('<to>', 'in the same bucket: its address, or the name alone')
    .description('rename a key; a name that ends in / moves all below it')
    .option('--replace', 'a key that has the new name already')
  remote<{ readonly replace?: boolean }>(rename, env, async ({ session, args, flags, out }) => {
    const from = keyAddress(argument(args, 0))
    const to = newName(from, argument(args, 1))
    try {
      await session.keys.rename(from, to, { replace: flags.replace === true })
    } catch (error) {
      if (!isStoreError(error, 'KeyAlreadyExists')) throw error
      throw new StoreError('KeyAlreadyExists', error.message, { details: { try: 'add --replace' }, cause: error })
    }
    const target = addressText({ ...from, key: to })
    out.done({ renamed: target }, `renamed ${addressText(from)} to ${target}`)
  })
}

function newName(from: { readonly volume: string; readonly bucket: string }, to: string): string {
  if (!to.startsWith('/')) return to
  const target = keyAddress(to)
  if (target.volume === from.volume && target.bucket === from.bucket) return target.key
  throw new StoreError('InvalidArgument', 'a key is renamed within its bucket', {
    details: { try: 'o3 sh key cp, then o3 sh key delete' },
  })
}
