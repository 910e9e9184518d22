/** One page of a bucket's objects: what the three listings of objects have in common. */

import type { KeyInfo, ListedKey } from '@o3/protocol-bus/api'
import type { ObjectRow } from '../core/xml/write-listing.ts'
import { checksumColumns } from '../objects/shown-checksums.ts'
import { bucketOf } from '../operations/operation.ts'
import type { Call } from '../operations/operation.ts'
import { countOf, listParameters } from './list-parameters.ts'
import type { ListParameters } from './list-parameters.ts'

export interface ObjectsPage extends ListParameters {
  readonly maxKeys: number
  readonly objects: readonly KeyInfo[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
  /** The last object or common prefix of the page; undefined on an empty one. */
  readonly last: ListedKey | undefined
}

/** Objects and common prefixes strictly after `after`, as the parameters of the request ask. */
export async function listObjectsPage(call: Call, after: string): Promise<ObjectsPage> {
  const parameters = listParameters(call.request)
  const maxKeys = countOf(call.request, 'max-keys')
  const { items, truncated } = await call.session.keys.list(bucketOf(call), {
    prefix: parameters.prefix,
    delimiter: parameters.delimiter,
    after,
    limit: maxKeys,
  })
  const objects: KeyInfo[] = []
  const commonPrefixes: string[] = []
  for (const item of items) {
    if (item.kind === 'key') objects.push(item.key)
    else commonPrefixes.push(item.prefix)
  }
  // A page of nothing is complete: a client that asked for none would ask for ever.
  return { ...parameters, maxKeys, objects, commonPrefixes, truncated: truncated && maxKeys > 0, last: items.at(-1) }
}

export function nameOf(item: ListedKey): string {
  return item.kind === 'key' ? item.key.name : item.prefix
}

export function objectRow(key: KeyInfo, owner: 'with-owner' | 'without-owner'): ObjectRow {
  return {
    key: key.name,
    modifiedMs: key.modifiedMs,
    etag: key.etag,
    size: key.size,
    ...checksumColumns(key.checksum),
    ...(owner === 'with-owner' ? { owner: ownerRow(key.owner) } : {}),
  }
}

/** O3's users have one name; S3 has an id and a name to show. */
export function ownerRow(user: string): { readonly id: string; readonly displayName: string } {
  return { id: user, displayName: user }
}
