/** Quotas and rights as text. */

import type { Quota } from '@o3/plugin-native/client'
import { bytesText, orDash } from '../output/quantities.ts'

export function quotaText({ bytes, keys, buckets }: Quota): string {
  const parts = [
    ...(bytes === undefined ? [] : [bytesText(bytes)]),
    ...(keys === undefined ? [] : [`${keys} keys`]),
    ...(buckets === undefined ? [] : [`${buckets} buckets`]),
  ]
  return parts.length === 0 ? 'none' : parts.join(', ')
}

export function membersText(members: Readonly<Record<string, string>>): string {
  return orDash(
    Object.entries(members)
      .map(([user, right]) => `${user}: ${right}`)
      .join(', '),
  )
}

export function pairsText(values: Readonly<Record<string, string>>): string {
  return orDash(
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
  )
}
