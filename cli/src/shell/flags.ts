/** Flags that several commands share, from text to what the native interface takes. */

import { parseSize } from '@o3/common/config'
import { StoreError } from '@o3/common/errors'
import type { Quota } from '@o3/plugin-native/client'
import type { Command } from 'commander'

export interface QuotaFlags {
  readonly quotaBytes?: string
  readonly quotaKeys?: string
  readonly quotaBuckets?: string
}

export function addQuotaFlags(command: Command, of: 'volume' | 'bucket'): Command {
  command
    .option('--quota-bytes <size>', 'at most so many bytes, like 10GiB; none: no bound')
    .option('--quota-keys <n>', 'at most so many keys; none: no bound')
  return of === 'volume' ? command.option('--quota-buckets <n>', 'at most so many buckets; none: no bound') : command
}

/** What was there, with what the flags say; undefined when they say nothing. */
export function quotaOf(flags: QuotaFlags, before: Quota): Quota | undefined {
  const { quotaBytes, quotaKeys, quotaBuckets } = flags
  if (quotaBytes === undefined && quotaKeys === undefined && quotaBuckets === undefined) return undefined
  return {
    ...bound('bytes', quotaBytes, before, sizeOf),
    ...bound('keys', quotaKeys, before, countOf),
    ...bound('buckets', quotaBuckets, before, countOf),
  }
}

function bound(
  name: keyof Quota,
  text: string | undefined,
  before: Quota,
  read: (text: string, flag: string) => number,
): Quota {
  if (text === 'none') return {}
  const value = text === undefined ? before[name] : read(text, `--quota-${name}`)
  return value === undefined ? {} : { [name]: value }
}

function sizeOf(text: string, flag: string): number {
  const size = parseSize(text)
  if (size === undefined) throw new StoreError('InvalidArgument', `${flag} is written like 10GiB`)
  return size
}

export function countOf(text: string, flag: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw new StoreError('InvalidArgument', `${flag} is a whole number`)
  }
  return count
}

export interface ListFlags {
  readonly prefix?: string
  readonly after?: string
  readonly limit: string
}

export function addListFlags(command: Command): Command {
  return command
    .option('--prefix <text>', 'only names that begin so')
    .option('--after <name>', 'only names after this one')
    .option('--limit <n>', 'at most so many', '1000')
}

export function listOptions({ prefix, after, limit }: ListFlags) {
  return {
    limit: countOf(limit, '--limit'),
    ...(prefix === undefined ? {} : { prefix }),
    ...(after === undefined ? {} : { after }),
  }
}

/** For commander: `--meta a=1 --meta b=2`. */
export function pairs(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new StoreError('InvalidArgument', `${text}: write name=value`)
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

export function oneOf<W extends string>(text: string, words: readonly W[], what: string): W {
  const found = words.find((word) => word === text)
  if (found === undefined)
    throw new StoreError('InvalidArgument', `${text} is no ${what}: there are ${words.join(', ')}`)
  return found
}
