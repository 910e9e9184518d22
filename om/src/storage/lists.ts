/** The lists of flat tables, from one snapshot each, in the byte order of their names. */

import { utf8ToBinary } from '@o3/common/codec'
import { assert, StoreError } from '@o3/common/errors'
import type { StateView } from '@o3/ratis/api'
import type {
  AccessKey,
  Bucket,
  BucketId,
  BucketRef,
  KeyRef,
  OmClient,
  Page,
  Part,
  UploadId,
  User,
  Volume,
} from '../api/api.ts'
import { bucketNotFound } from '../core/bucket.ts'
import { accessKeyOf, bucketOf, partOf, userOf, volumeOf } from '../core/records.ts'
import { buckets, bucketUsage } from '../core/rows/bucket.ts'
import { parts, uploads } from '../core/rows/upload.ts'
import { accessKeys, users } from '../core/rows/user.ts'
import { volumes, volumeUsage } from '../core/rows/volume.ts'
import { uploadNotFound } from '../core/upload.ts'
import { volumeNotFound } from '../core/volume.ts'
import { binaryKeyName } from '../core/names.ts'
import { scanRows } from './cursors.ts'
import { pageLimit, rangeAfter, readPage } from './page.ts'
import { agreed } from './reads.ts'

type QueryOf<Method extends keyof OmClient> = Parameters<Required<OmClient>[Method]>[0]

export async function listVolumes(view: StateView, query: QueryOf<'listVolumes'>): Promise<Page<Volume>> {
  const page = await readPage(
    view,
    volumes,
    rangeAfter('', utf8ToBinary(query.prefix), utf8ToBinary(query.after)),
    query.limit,
  )
  return mapPage(page, async ({ key, value }) => {
    const usage = await view.get(volumeUsage, key)
    assert(usage !== undefined, 'a volume has counters')
    return volumeOf(key, value, usage)
  })
}

/** `VolumeNotFound`. */
export async function listBuckets(view: StateView, query: QueryOf<'listBuckets'>): Promise<Page<Bucket>> {
  if ((await view.get(volumes, query.volume)) === undefined) throw StoreError.fromRecord(volumeNotFound(query.volume))
  const under = buckets.encodeKey({ volume: query.volume, bucket: '' })
  const range = rangeAfter(under, utf8ToBinary(query.prefix), utf8ToBinary(query.after))
  return mapPage(await readPage(view, buckets, range, query.limit), async ({ key, value }) => {
    const usage = await view.get(bucketUsage, value.id)
    assert(usage !== undefined, 'a bucket has counters')
    return bucketOf(key, value, usage)
  })
}

export async function listUsers(view: StateView, query: QueryOf<'listUsers'>): Promise<Page<User>> {
  const page = await readPage(view, users, rangeAfter('', '', utf8ToBinary(query.after)), query.limit)
  return { ...page, items: page.items.map(({ key, value }) => userOf(key, value)) }
}

/** Of one user, or of all. A user that does not exist has none. */
export async function listAccessKeys(view: StateView, query: QueryOf<'listAccessKeys'>): Promise<Page<AccessKey>> {
  if (query.user !== undefined) return listAccessKeysOf(view, query.user, query)
  const page = await readPage(view, accessKeys, rangeAfter('', '', utf8ToBinary(query.after)), query.limit)
  return { ...page, items: page.items.map(({ key, value }) => accessKeyOf(key, value)) }
}

async function listAccessKeysOf(
  view: StateView,
  user: string,
  { after, limit }: QueryOf<'listAccessKeys'>,
): Promise<Page<AccessKey>> {
  const most = pageLimit(limit)
  const row = await view.get(users, user)
  // Ids are ASCII, so the order of strings is that of bytes.
  const ids = (row?.accessKeys ?? []).filter((id) => id > after).toSorted()
  return mapPage({ items: ids.slice(0, most), truncated: most > 0 && ids.length > most }, async (id) => {
    const accessKey = await view.get(accessKeys, id)
    assert(accessKey !== undefined, 'a user names access keys that are there')
    return accessKeyOf(id, accessKey)
  })
}

/** In the order of their numbers. `BucketNotFound`, `InvalidName`, `KeyTooLong`, `UploadNotFound`. */
export async function listParts(view: StateView, query: QueryOf<'listParts'>): Promise<Page<Part>> {
  await requireUpload(view, query)
  const { upload, after, limit } = query
  const range = {
    from: parts.encodeKey({ upload, number: after + 1 }),
    to: parts.encodeKey({ upload, number: 0xffff_ffff }),
  }
  const page = await readPage(view, parts, range, limit)
  return { ...page, items: page.items.map(({ key, value }) => partOf(key.number, value)) }
}

/**
 * Those of these numbers that there are, ascending, by one scan from the least to the greatest. `BucketNotFound`,
 * `InvalidName`, `KeyTooLong`, `UploadNotFound`.
 */
export async function getParts(view: StateView, query: QueryOf<'getParts'>): Promise<readonly Part[]> {
  await requireUpload(view, query)
  const { upload, numbers } = query
  if (numbers.length === 0) return []
  const wanted = new Set(numbers)
  const from = parts.encodeKey({ upload, number: Math.min(...numbers) })
  const to = parts.encodeKey({ upload, number: Math.max(...numbers) + 1 })
  const found: Part[] = []
  await scanRows(view, { table: parts, range: { from, to } }, ({ key, value }) => {
    if (wanted.has(key.number)) found.push(partOf(key.number, value))
    return undefined
  })
  return found
}

async function requireUpload(view: StateView, ref: KeyRef & { readonly upload: UploadId }): Promise<void> {
  const bucket = await bucketIdOf(view, ref)
  const key = agreed(binaryKeyName(ref.key))
  const row = await view.get(uploads, { bucket, key, upload: ref.upload })
  if (row === undefined) throw StoreError.fromRecord(uploadNotFound(ref.upload))
}

/** `BucketNotFound`. */
export async function bucketIdOf(view: StateView, ref: BucketRef): Promise<BucketId> {
  const row = await view.get(buckets, ref)
  if (row === undefined) throw StoreError.fromRecord(bucketNotFound(ref))
  return row.id
}

async function mapPage<T, U>(page: Page<T>, map: (item: T) => Promise<U>): Promise<Page<U>> {
  return { ...page, items: await Promise.all(page.items.map(map)) }
}
