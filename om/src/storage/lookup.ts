/**
 * The rows of one request in one read. The server follows the references that a client would follow with a call for each:
 * from an access key to its user, from a bucket to its volume.
 */

import { StoreError } from '@o3/common/errors'
import { maxLookupPlaces } from '../api/api.ts'
import type { Found, Key, LookupAnswer, LookupRequest, Volume } from '../api/api.ts'
import type { RowView } from '../core/row-view.ts'
import { readAccessKey, readBucket, readKey, readUpload, readUser, readVolume } from './reads.ts'

/** Segments and parts of a key that ride along; inline segments are of at most 4 KiB each. */
const maxSegments = 16
/** Members of a volume, and its metadata, that ride along: seldom is one of them asked for. */
const maxEntries = 32

type Identity = Pick<LookupAnswer, 'accessKey' | 'user'>

/** `TooManyEntries`. */
export function readLookup(rows: RowView, request: LookupRequest): LookupAnswer {
  const { accessKey, places, key, upload } = request
  if (places.length > maxLookupPlaces) {
    throw new StoreError('TooManyEntries', `a lookup has at most ${maxLookupPlaces} places`)
  }
  const identity = accessKey === undefined ? {} : readIdentity(rows, accessKey)
  if (accessKey !== undefined && !isSomebody(identity)) return { ...identity, places: [] }
  return {
    ...identity,
    places: places.map(({ volume, bucket }) => ({
      ...field('volume', smallVolume(found(() => readVolume(rows, volume)))),
      ...(bucket === undefined
        ? {}
        : field(
            'bucket',
            found(() => readBucket(rows, { volume, bucket })),
          )),
    })),
    ...(key === undefined ? {} : field('key', smallKey(found(() => readKey(rows, key))))),
    ...(upload === undefined
      ? {}
      : field(
          'upload',
          found(() => readUpload(rows, upload)),
        )),
  }
}

function readIdentity(rows: RowView, id: string): Identity {
  const accessKey = found(() => readAccessKey(rows, id))
  if (accessKey?.kind !== 'row' || !accessKey.row.enabled) return field('accessKey', accessKey)
  const { user } = accessKey.row
  return {
    accessKey,
    ...field(
      'user',
      found(() => readUser(rows, user)),
    ),
  }
}

/** Whoever sends a request can name any key of any bucket: to nobody no more is read than who they are not. */
function isSomebody({ accessKey, user }: Identity): boolean {
  return accessKey?.kind === 'row' && accessKey.row.enabled && user?.kind === 'row' && user.row.enabled
}

/** Undefined for a row that is damaged: of the others nothing is wrong. Without a leader there is no row at all. */
function found<T>(read: () => T): Found<T> | undefined {
  try {
    return { kind: 'row', row: read() }
  } catch (error) {
    // What is no `StoreError` is a row that is not in memory yet (`readLive`), or a bug.
    if (!(error instanceof StoreError)) throw error
    const { category } = error
    if (category === 'not-found' || category === 'invalid') return { kind: 'refused', error: error.toRecord() }
    if (category === 'damaged') return undefined
    throw error
  }
}

function field<Name extends string, T>(name: Name, value: T | undefined): { readonly [N in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [N in Name]?: T }
}

function smallKey(key: Found<Key> | undefined): Found<Key> | undefined {
  if (key?.kind !== 'row') return key
  const { content, parts = [] } = key.row
  if (content.kind === 'blocks' && content.segments.length > maxSegments) return undefined
  return parts.length > maxSegments ? undefined : key
}

function smallVolume(volume: Found<Volume> | undefined): Found<Volume> | undefined {
  if (volume?.kind !== 'row') return volume
  return hasFewEntries(volume.row.members) && hasFewEntries(volume.row.metadata) ? volume : undefined
}

function hasFewEntries(entries: Readonly<Record<string, unknown>>): boolean {
  let count = 0
  for (const _ in entries) if (++count > maxEntries) return false
  return true
}
