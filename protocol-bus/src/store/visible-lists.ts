/**
 * Lists of volumes and buckets as one caller may see them. Rows are read in pages and judged one by one; for a caller
 * who sees few of many, a page costs the rows in between. Administrators see all, at no such cost.
 */

import { isStoreError } from '@o3/common/errors'
import type { OmClient } from '@o3/om/api'
import type { Bucket, Page, Principal, Volume } from '../api/api.ts'
import { pageLimit } from '../core/page-limit.ts'
import { agreed } from './refused.ts'
import type { Rights } from './rights.ts'

export interface ListOptions {
  readonly after?: string
  readonly prefix?: string
  readonly limit: number
}

interface Named {
  readonly name: string
}

type ReadPage<T> = (after: string, limit: number) => Promise<Page<T>>

const scanPage = 1000

export class VisibleLists {
  private readonly om: Pick<OmClient, 'getVolume' | 'listVolumes' | 'listBuckets'>
  private readonly rights: Rights

  constructor(om: Pick<OmClient, 'getVolume' | 'listVolumes' | 'listBuckets'>, rights: Rights) {
    this.om = om
    this.rights = rights
  }

  volumes(principal: Principal, options: ListOptions): Promise<Page<Volume>> {
    const { prefix = '' } = options
    const read: ReadPage<Volume> = (after, limit) => this.om.listVolumes({ after, prefix, limit })
    return this.page(principal, options, read, (volume) => this.rights.seesVolume(principal, volume))
  }

  /** To those who see none of its buckets, a volume that does not exist looks like one that does. */
  async buckets(principal: Principal, name: string, options: ListOptions): Promise<Page<Bucket>> {
    const volume = await this.volumeFor(principal, name)
    if (volume === undefined) {
      agreed(pageLimit(options.limit))
      return { items: [], truncated: false }
    }
    const { prefix = '' } = options
    const read: ReadPage<Bucket> = (after, limit) => this.om.listBuckets({ volume: name, after, prefix, limit })
    return this.page(principal, options, read, (bucket) => this.rights.seesBucket(principal, bucket, volume))
  }

  private async page<T extends Named>(
    principal: Principal,
    options: ListOptions,
    read: ReadPage<T>,
    sees: (item: T) => boolean,
  ): Promise<Page<T>> {
    const limit = agreed(pageLimit(options.limit))
    const after = options.after ?? ''
    if (limit === 0) return { items: [], truncated: false }
    if (principal.admin) return read(after, limit)
    return scan(read, sees, { after, limit })
  }

  private async volumeFor(principal: Principal, name: string): Promise<Volume | undefined> {
    try {
      return await this.om.getVolume(name)
    } catch (error) {
      if (isStoreError(error, 'VolumeNotFound') && !principal.admin) return undefined
      throw error
    }
  }
}

async function scan<T extends Named>(
  read: ReadPage<T>,
  sees: (item: T) => boolean,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<Page<T>> {
  const seen: T[] = []
  for (let from = after; ;) {
    const page = await read(from, scanPage)
    for (const item of page.items) {
      if (!sees(item)) continue
      if (seen.length === limit) return { items: seen, truncated: true }
      seen.push(item)
    }
    const last = page.items.at(-1)
    if (!page.truncated || last === undefined) return { items: seen, truncated: false }
    from = last.name
  }
}
