/**
 * OM behind grants: every call names the grant that allows it, and takes volume, bucket and user from the grant. The
 * sessions reach names only through here.
 */

import { assert } from '@o3/common/errors'
import type {
  AccessKey,
  Key,
  ListKeysQuery,
  ListUploadsQuery,
  ListedEntry,
  ListedUpload,
  NewContent,
  OmClient,
  OmCommand,
  OmReply,
  Part,
} from '@o3/om/api'
import type {
  Action,
  Bucket,
  BucketRight,
  Checksum,
  KeyAttributes,
  KeyCommit,
  Page,
  Preconditions,
  Quota,
  ReplicationConfig,
  Upload,
  UploadId,
  User,
  Volume,
  VolumeRight,
} from '../api/api.ts'
import { assertGrant } from '../core/authorize.ts'
import type { Grant } from '../core/authorize.ts'
import type { MaybePromise } from './settled.ts'

export interface KeyToCommit {
  readonly key: string
  readonly owner: string
  readonly size: number
  readonly content: NewContent
  readonly attributes: KeyAttributes
  readonly preconditions: Preconditions
}

export interface PartToCommit {
  readonly key: string
  readonly upload: UploadId
  readonly number: number
  readonly size: number
  readonly etag: string
  readonly checksum?: Checksum
  readonly content: NewContent
}

type Uploaded = Extract<OmCommand, { kind: 'complete-upload' }>
type Completion = Omit<Uploaded, 'kind' | 'volume' | 'bucket'>
type Within<Q> = Omit<Q, 'volume' | 'bucket'>

export class Namespace {
  private readonly om: OmClient

  constructor(om: OmClient) {
    this.om = om
  }

  // ------------------------------------------------------------------------------------------------------ volumes

  async createVolume(
    grant: Grant<'volume:create'>,
    given: { readonly volume: string; readonly owner: string; readonly quota: Quota },
  ): Promise<Volume> {
    assertGrant(grant, 'volume:create')
    return (await this.execute({ kind: 'create-volume', ...given }, 'volume')).volume
  }

  volume(grant: Grant<'volume:read'>): MaybePromise<Volume> {
    assertGrant(grant, 'volume:read')
    return this.om.getVolume(grant.volume)
  }

  /** Owner and quota are an administrator's to change, and need a grant of their own. */
  async updateVolume(
    grant: Grant<'volume:update'>,
    changes: {
      readonly members?: Readonly<Record<string, VolumeRight | null>>
      readonly metadata?: Readonly<Record<string, string>>
    },
    administered?: {
      readonly grant: Grant<'cluster:admin'>
      readonly owner?: string
      readonly quota?: Quota
    },
  ): Promise<Volume> {
    assertGrant(grant, 'volume:update')
    if (administered !== undefined) assertGrant(administered.grant, 'cluster:admin')
    const { owner, quota } = administered ?? {}
    const command: OmCommand = {
      kind: 'update-volume',
      volume: grant.volume,
      ...changes,
      ...(owner === undefined ? {} : { owner }),
      ...(quota === undefined ? {} : { quota }),
    }
    return (await this.execute(command, 'volume')).volume
  }

  async deleteVolume(grant: Grant<'volume:delete'>): Promise<void> {
    assertGrant(grant, 'volume:delete')
    await this.execute({ kind: 'delete-volume', volume: grant.volume }, 'done')
  }

  // ------------------------------------------------------------------------------------------------------ buckets

  async createBucket(
    grant: Grant<'bucket:create'>,
    given: {
      readonly bucket: string
      readonly quota: Quota
      readonly replication: ReplicationConfig
      readonly tags?: Readonly<Record<string, string>>
    },
  ): Promise<Bucket> {
    assertGrant(grant, 'bucket:create')
    const owner = grant.principal.user
    return (await this.execute({ kind: 'create-bucket', volume: grant.volume, owner, ...given }, 'bucket')).bucket
  }

  bucket(grant: Grant<'bucket:read'>): MaybePromise<Bucket> {
    assertGrant(grant, 'bucket:read')
    return this.om.getBucket(placeOf(grant))
  }

  async updateBucket(
    grant: Grant<'bucket:update'>,
    changes: {
      readonly owner?: string
      readonly quota?: Quota
      readonly members?: Readonly<Record<string, BucketRight | null>>
      readonly tags?: Readonly<Record<string, string>>
      readonly metadata?: Readonly<Record<string, string>>
    },
  ): Promise<Bucket> {
    assertGrant(grant, 'bucket:update')
    return (await this.execute({ kind: 'update-bucket', ...placeOf(grant), ...changes }, 'bucket')).bucket
  }

  async deleteBucket(grant: Grant<'bucket:delete'>): Promise<void> {
    assertGrant(grant, 'bucket:delete')
    await this.execute({ kind: 'delete-bucket', ...placeOf(grant) }, 'done')
  }

  // --------------------------------------------------------------------------------------------------------- keys

  key(grant: Grant<'key:read'>, key: string): MaybePromise<Key> {
    assertGrant(grant, 'key:read')
    return this.om.getKey({ volume: grant.volume, bucket: grant.bucket, key })
  }

  async commitKey(grant: Grant<'key:write'>, given: KeyToCommit, requestId: string | undefined): Promise<KeyCommit> {
    assertGrant(grant, 'key:write')
    const { etag, modifiedMs, size, updateId } = await this.execute(
      {
        kind: 'commit-key',
        volume: grant.volume,
        bucket: grant.bucket,
        key: given.key,
        owner: given.owner,
        size: given.size,
        content: given.content,
        attributes: given.attributes,
        preconditions: given.preconditions,
      },
      'key',
      requestId,
    )
    return { etag, modifiedMs, size, updateId }
  }

  /** The source is read under its own grant. */
  copyContent(
    grant: Grant<'key:read'>,
    source: { readonly key: string; readonly updateId: number },
    range?: { readonly start: number; readonly end: number },
  ): NewContent {
    assertGrant(grant, 'key:read')
    return {
      kind: 'copy',
      source: { volume: grant.volume, bucket: grant.bucket, key: source.key },
      sourceUpdateId: source.updateId,
      ...(range === undefined ? {} : { range: { offset: range.start, length: range.end - range.start } }),
    }
  }

  listKeys(grant: Grant<'bucket:list'>, query: Within<ListKeysQuery>): Promise<Page<ListedEntry>> {
    assertGrant(grant, 'bucket:list')
    return this.om.listKeys({ ...placeOf(grant), ...query })
  }

  async deleteKey(
    grant: Grant<'key:delete'>,
    key: string,
    preconditions: Preconditions,
    requestId: string | undefined,
  ): Promise<boolean> {
    assertGrant(grant, 'key:delete')
    const command: OmCommand = { kind: 'delete-key', ...placeOf(grant), key, preconditions }
    return (await this.execute(command, 'deleted', requestId)).existed
  }

  async deleteKeys(
    grant: Grant<'key:delete'>,
    keys: readonly { readonly key: string; readonly ifMatch?: string }[],
  ): Promise<Extract<OmReply, { kind: 'deleted-many' }>['results']> {
    assertGrant(grant, 'key:delete')
    return (await this.execute({ kind: 'delete-keys', ...placeOf(grant), keys }, 'deleted-many')).results
  }

  async renameKey(
    from: Grant<'key:delete'>,
    to: Grant<'key:write'>,
    names: { readonly key: string; readonly to: string; readonly replace: boolean },
  ): Promise<void> {
    assertGrant(from, 'key:delete')
    assertGrant(to, 'key:write')
    assert(from.volume === to.volume && from.bucket === to.bucket, 'a rename stays in its bucket')
    await this.execute({ kind: 'rename-key', ...placeOf(from), ...names }, 'done')
  }

  async setKeyTags(grant: Grant<'key:write'>, key: string, tags: Readonly<Record<string, string>>): Promise<void> {
    assertGrant(grant, 'key:write')
    await this.execute({ kind: 'set-key-tags', ...placeOf(grant), key, tags }, 'key')
  }

  // ------------------------------------------------------------------------------------------------------ uploads

  async createUpload(
    grant: Grant<'key:write'>,
    key: string,
    given: Pick<Upload, 'attributes' | 'checksum'>,
  ): Promise<{ readonly upload: UploadId; readonly initiatedMs: number }> {
    assertGrant(grant, 'key:write')
    const owner = grant.principal.user
    return this.execute({ kind: 'create-upload', ...placeOf(grant), key, owner, ...given }, 'upload')
  }

  upload(grant: Grant<'key:write'>, key: string, upload: UploadId): Promise<Upload> {
    assertGrant(grant, 'key:write')
    return this.om.getUpload({ ...placeOf(grant), key, upload })
  }

  async commitPart(
    grant: Grant<'key:write'>,
    given: PartToCommit,
    requestId: string | undefined,
  ): Promise<{ readonly etag: string; readonly modifiedMs: number }> {
    assertGrant(grant, 'key:write')
    return this.execute({ kind: 'commit-part', ...placeOf(grant), ...given }, 'part', requestId)
  }

  listParts(
    grant: Grant<'key:write'>,
    query: { readonly key: string; readonly upload: UploadId; readonly after: number; readonly limit: number },
  ): Promise<Page<Part>> {
    assertGrant(grant, 'key:write')
    return this.om.listParts({ ...placeOf(grant), ...query })
  }

  parts(
    grant: Grant<'key:write'>,
    query: { readonly key: string; readonly upload: UploadId; readonly numbers: readonly number[] },
  ): Promise<readonly Part[]> {
    assertGrant(grant, 'key:write')
    return this.om.getParts({ ...placeOf(grant), ...query })
  }

  async completeUpload(grant: Grant<'key:write'>, given: Completion): Promise<KeyCommit> {
    assertGrant(grant, 'key:write')
    const command: OmCommand = { kind: 'complete-upload', ...placeOf(grant), ...given }
    const { etag, modifiedMs, size, updateId } = await this.execute(command, 'key')
    return { etag, modifiedMs, size, updateId }
  }

  async abortUpload(grant: Grant<'key:write'>, key: string, upload: UploadId): Promise<void> {
    assertGrant(grant, 'key:write')
    await this.execute({ kind: 'abort-upload', ...placeOf(grant), key, upload }, 'done')
  }

  listUploads(grant: Grant<'bucket:list'>, query: Within<ListUploadsQuery>): Promise<Page<ListedUpload>> {
    assertGrant(grant, 'bucket:list')
    return this.om.listUploads({ ...placeOf(grant), ...query })
  }

  // --------------------------------------------------------------------------------------------------- identities

  async createUser(grant: Grant<'identity:admin'>, options: { readonly admin: boolean }): Promise<User> {
    assertGrant(grant, 'identity:admin')
    return (await this.execute({ kind: 'create-user', user: grant.user, ...options }, 'user')).user
  }

  async updateUser(
    grant: Grant<'identity:admin'>,
    changes: { readonly admin?: boolean; readonly enabled?: boolean },
  ): Promise<User> {
    assertGrant(grant, 'identity:admin')
    return (await this.execute({ kind: 'update-user', user: grant.user, ...changes }, 'user')).user
  }

  async deleteUser(grant: Grant<'identity:admin'>): Promise<void> {
    assertGrant(grant, 'identity:admin')
    await this.execute({ kind: 'delete-user', user: grant.user }, 'done')
  }

  user(grant: Grant<'identity:read'>): MaybePromise<User> {
    assertGrant(grant, 'identity:read')
    return this.om.getUser(grant.user)
  }

  listUsers(
    grant: Grant<'identity:admin'>,
    query: { readonly after: string; readonly limit: number },
  ): Promise<Page<User>> {
    assertGrant(grant, 'identity:admin')
    return this.om.listUsers(query)
  }

  async createAccessKey(grant: Grant<'access-key:manage'>, id: string, sealedSecret: Uint8Array): Promise<void> {
    assertGrant(grant, 'access-key:manage')
    await this.execute({ kind: 'create-access-key', id, user: grant.user, sealedSecret }, 'access-key')
  }

  /** Needs no grant: it is what is asked to find out whose grant is needed. `AccessKeyNotFound`. */
  async userOfAccessKey(id: string): Promise<string> {
    return (await this.om.getAccessKey(id)).user
  }

  async updateAccessKey(grant: Grant<'access-key:manage'>, id: string, enabled: boolean): Promise<void> {
    assertGrant(grant, 'access-key:manage')
    await this.execute({ kind: 'update-access-key', id, enabled }, 'access-key')
  }

  async deleteAccessKey(grant: Grant<'access-key:manage'>, id: string): Promise<void> {
    assertGrant(grant, 'access-key:manage')
    await this.execute({ kind: 'delete-access-key', id }, 'done')
  }

  /** Of the grant's user; of all users when the grant names none. */
  listAccessKeys(
    grant: Grant<'access-key:manage'>,
    query: { readonly after: string; readonly limit: number },
  ): Promise<Page<AccessKey>> {
    assertGrant(grant, 'access-key:manage')
    return this.om.listAccessKeys(grant.user === '' ? query : { ...query, user: grant.user })
  }

  // -------------------------------------------------------------------------------------------------------- admin

  audit(grant: Grant<'cluster:admin'>): Promise<readonly string[]> {
    assertGrant(grant, 'cluster:admin')
    return this.om.audit()
  }

  private async execute<K extends OmReply['kind']>(
    command: OmCommand,
    expected: K,
    requestId?: string,
  ): Promise<Extract<OmReply, { kind: K }>> {
    const reply = await (requestId === undefined ? this.om.execute(command) : this.om.execute(command, { requestId }))
    assert(reply.kind === expected, `om answered ${reply.kind} to ${command.kind}`)
    return reply as Extract<OmReply, { kind: K }>
  }
}

function placeOf(grant: Grant<Action>): { readonly volume: string; readonly bucket: string } {
  return { volume: grant.volume, bucket: grant.bucket }
}
