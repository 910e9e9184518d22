/** Bounds on what one row may hold. */

import { StoreError } from '@o3/common/errors'
import type { KeyAttributes, Quota } from '../../api/api.ts'

const maxAttributeUnits = 65_536
const maxMembers = 1_000
export const maxAccessKeysPerUser = 100

type Texts = Readonly<Record<string, string>>

/** `TooLarge`. */
export function checkAttributes(attributes: Partial<KeyAttributes>): void {
  const { etag = '', contentType = '', headers = {}, metadata = {}, tags = {} } = attributes
  checkTexts({ etag, contentType }, headers, metadata, tags)
}

/** Names and values together. `TooLarge`. The names of `etag` and `contentType` are not counted. */
export function checkTexts(first: Texts, ...texts: readonly Texts[]): void {
  const values = Object.values(first).reduce((sum, value) => sum + value.length, 0)
  const all = texts.flatMap((text) => Object.entries(text)).reduce((sum, entry) => sum + entry.join('').length, values)
  if (all > maxAttributeUnits) throw new StoreError('TooLarge', 'the attributes are too large')
}

/** `InvalidArgument`. */
export function checkQuotaShape(quota: Quota | undefined): void {
  for (const limit of [quota?.bytes, quota?.keys, quota?.buckets]) {
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
      throw new StoreError('InvalidArgument', 'a quota is a whole number, 0 or more')
    }
  }
}

/** The members as changed; `null` takes one out. `TooManyEntries`. */
export function mergeMembers<R>(
  members: Readonly<Record<string, R>>,
  changes: Readonly<Record<string, R | null>> | undefined,
): Readonly<Record<string, R>> {
  const merged = new Map<string, R>(Object.entries(members))
  for (const [name, right] of Object.entries(changes ?? {})) {
    if (right === null) merged.delete(name)
    else merged.set(name, right)
  }
  if (merged.size > maxMembers) throw new StoreError('TooManyEntries', 'too many members')
  return Object.fromEntries(merged)
}
