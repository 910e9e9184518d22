/** Bounds on what a caller may put into a row, so that rows, log entries and replies stay small. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { KeyAttributes, Quota } from '../api/api.ts'
import { isText } from './names.ts'

/** Of all names and values together, in UTF-16 units: S3 front ends allow 2 KiB of metadata and 10 tags. */
const maxAttributeUnits = 65_536
const maxMembers = 1_000
export const maxAccessKeysPerUser = 100
/** Sealing adds a few dozen bytes to a secret of some 40. */
export const maxSealedSecretBytes = 1_024
export const maxPositionsPerPurge = 10_000
export const maxKeysPerDelete = 1_000
export const maxBlocksPerLease = 65_536

type Texts = Readonly<Record<string, string>>

/** Everything that a caller says of a key, upload or part. `TooLarge`, `InvalidArgument` for what is no text. */
export function checkAttributes(owner: string, attributes: Partial<KeyAttributes>): Refusal | undefined {
  const { etag = '', contentType = '', checksum, headers, metadata, tags } = attributes
  return checkTexts([owner, etag, contentType, checksum?.value ?? ''], headers, metadata, tags)
}

/** `TooLarge`, `InvalidArgument` for what is no text. */
export function checkTexts(texts: readonly string[], ...maps: readonly (Texts | undefined)[]): Refusal | undefined {
  let units = 0
  let wellFormed = true
  const add = (text: string): void => {
    units += text.length
    wellFormed &&= isText(text)
  }
  for (const text of texts) add(text)
  for (const map of maps) {
    for (const name in map) {
      add(name)
      add(map[name] as string)
    }
  }
  if (units > maxAttributeUnits) return refuse('TooLarge', `attributes have at most ${maxAttributeUnits} characters`)
  return wellFormed ? undefined : refuse('InvalidArgument', 'an attribute is no well-formed text')
}

/** `InvalidArgument` for what is no count. */
export function checkQuotaShape(quota: Quota | undefined): Refusal | undefined {
  for (const limit of [quota?.bytes, quota?.keys, quota?.buckets]) {
    if (limit !== undefined && !isCount(limit)) return refuse('InvalidArgument', 'a quota is a whole number, 0 or more')
  }
  return undefined
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** The members as changed; `null` takes one out. `TooManyEntries`, `TooLarge`, `InvalidArgument` (names). */
export function changeMembers<R>(
  members: Readonly<Record<string, R>>,
  changes: Readonly<Record<string, R | null>> | undefined,
): Readonly<Record<string, R>> | Refusal {
  if (changes === undefined) return members
  const changed = new Map<string, R>(Object.entries(members))
  for (const [name, right] of Object.entries(changes)) {
    if (right === null) changed.delete(name)
    else changed.set(name, right)
  }
  if (changed.size > maxMembers) return refuse('TooManyEntries', `at most ${maxMembers} members`)
  return checkTexts([...changed.keys()]) ?? Object.fromEntries(changed)
}
