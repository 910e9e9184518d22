import { StoreError } from '@o3/common/errors'
import type { Bucket, BucketRef, BucketRight, Buckets, Page, Principal, Quota, ReplicationConfig } from '../api/api.ts'
import type { StoreParts } from './parts.ts'

export class SessionBuckets implements Buckets {
  private readonly parts: StoreParts
  private readonly principal: Principal

  constructor(parts: StoreParts, principal: Principal) {
    this.parts = parts
    this.principal = principal
  }

  async create(
    ref: BucketRef,
    options: {
      readonly quota?: Quota
      readonly replication?: ReplicationConfig
      readonly tags?: Readonly<Record<string, string>>
    } = {},
  ): Promise<Bucket> {
    const grant = await this.parts.rights.onVolume(this.principal, 'bucket:create', ref.volume)
    const { quota = {}, replication = this.parts.replication, tags } = options
    return this.parts.namespace.createBucket(grant, {
      bucket: ref.bucket,
      quota,
      replication,
      ...(tags === undefined ? {} : { tags }),
    })
  }

  list(
    volume: string,
    options: { readonly after?: string; readonly prefix?: string; readonly limit: number },
  ): Promise<Page<Bucket>> {
    return this.parts.lists.buckets(this.principal, volume, options)
  }

  async info(ref: BucketRef): Promise<Bucket> {
    return this.parts.namespace.bucket(await this.parts.rights.onBucket(this.principal, 'bucket:read', ref))
  }

  async update(
    ref: BucketRef,
    changes: {
      readonly owner?: string
      readonly quota?: Quota
      readonly members?: Readonly<Record<string, BucketRight | null>>
      readonly tags?: Readonly<Record<string, string>>
      readonly metadata?: Readonly<Record<string, string>>
    },
  ): Promise<Bucket> {
    const grant = await this.parts.rights.onBucket(this.principal, 'bucket:update', ref)
    return this.parts.namespace.updateBucket(grant, changes)
  }

  async delete(ref: BucketRef): Promise<void> {
    const grant = await this.parts.rights.onBucket(this.principal, 'bucket:delete', ref)
    await this.parts.namespace.deleteBucket(grant)
  }

  async link(ref: BucketRef): Promise<Bucket> {
    await this.parts.rights.onVolume(this.principal, 'bucket:create', ref.volume)
    throw new StoreError('NotImplemented', 'bucket links come in a later release')
  }
}
