/** OM over its replicated store: a change is one command, an answer is rows of one moment. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { ExecuteOptions, ReplicatedStore } from '@o3/ratis/api'
import type { BlockRange, ScmBlockProtocol, ScmSecretKeyProtocol } from '@o3/scm/api'
import { KeyRing } from '@o3/scm/tokens'
import type {
  AccessKey,
  Bucket,
  BucketRef,
  Key,
  KeyRef,
  Lease,
  ListedEntry,
  ListedUpload,
  ListKeysQuery,
  ListUploadsQuery,
  LookupAnswer,
  LookupRequest,
  OmClient,
  OmCommand,
  OmReply,
  Page,
  Part,
  Upload,
  UploadId,
  User,
  Volume,
} from '../api/api.ts'
import type { OmConfig } from '../config.ts'
import { maxBlocksPerLease } from '../core/limits.ts'
import { auditStore } from '../storage/audit-store.ts'
import { listKeys } from '../storage/list-keys.ts'
import { listUploads } from '../storage/list-uploads.ts'
import {
  bucketIdOf,
  getParts,
  listAccessKeys,
  listBuckets,
  listParts,
  listUsers,
  listVolumes,
} from '../storage/lists.ts'
import { readLive } from '../storage/live-rows.ts'
import { readLookup } from '../storage/lookup.ts'
import { readAccessKey, readBucket, readKey, readUpload, readUser, readVolume } from '../storage/reads.ts'
import { BlockAccess } from './block-access.ts'
import { BlockStock } from './block-stock.ts'
import { Leadership } from '@o3/ratis/leadership'
import type { Standing } from '@o3/ratis/leadership'

export interface OmServiceParts {
  readonly store: ReplicatedStore<OmCommand, OmReply>
  readonly scm: ScmBlockProtocol & ScmSecretKeyProtocol
  readonly clock: Clock
  readonly config: OmConfig
  readonly log: Logger
}

type QueryOf<Method extends keyof OmClient> = Parameters<Required<OmClient>[Method]>[0]
type UploadRef = KeyRef & { readonly upload: UploadId }

/**
 * One member of OM. Whether it leads or not, everything that it answers has gone through the store: a change through its log,
 * a read behind its barrier, so a member that was deposed and does not know it yet answers nothing that is out of date. What
 * it keeps in memory beside the store is the stock of blocks (see `BlockStock`), which only the leader fills.
 */
export class OmService implements OmClient {
  private readonly store: ReplicatedStore<OmCommand, OmReply>
  private readonly config: OmConfig
  private readonly stock: BlockStock
  private readonly leadership: Leadership
  private readonly access: BlockAccess

  constructor(parts: OmServiceParts) {
    this.store = parts.store
    this.config = parts.config
    this.stock = new BlockStock(parts)
    this.leadership = new Leadership('OM', parts.store)
    this.access = new BlockAccess({ ...parts, keys: new KeyRing(parts) })
  }

  /** SCM's secret keys: kept fresh by a task of their own, at members that follow, too. */
  get keys(): KeyRing {
    return this.access.keys
  }

  /** Where this member stands in its group: for readiness, never for correctness. */
  standing(): Standing {
    return this.leadership.standing()
  }

  /**
   * What commits leased blocks is refused (`InvalidArgument`) unless their datanodes have signed that they have them, and is
   * `Unavailable` while there are no keys to tell. That is seen to here and not by the rules: they run again over an old log,
   * when the keys are gone.
   */
  execute(command: OmCommand, options?: ExecuteOptions): Promise<OmReply> {
    if (command.kind === 'commit-key' || command.kind === 'commit-part') return this.commit(command, options)
    if (command.kind === 'renew-lease') return this.renew(command, options)
    return this.store.execute(command, options)
  }

  getVolume(volume: string): Volume | Promise<Volume> {
    return readLive(this.store, readVolume, volume)
  }

  listVolumes(query: QueryOf<'listVolumes'>): Promise<Page<Volume>> {
    return this.store.read((view) => listVolumes(view, query))
  }

  getBucket(ref: BucketRef): Bucket | Promise<Bucket> {
    return readLive(this.store, readBucket, ref)
  }

  listBuckets(query: QueryOf<'listBuckets'>): Promise<Page<Bucket>> {
    return this.store.read((view) => listBuckets(view, query))
  }

  getKey(ref: KeyRef): Key | Promise<Key> {
    return readLive(this.store, readKey, ref)
  }

  listKeys(query: ListKeysQuery): Promise<Page<ListedEntry>> {
    return this.store.read(async (view) => listKeys(view, await bucketIdOf(view, query), query))
  }

  async getUpload(ref: UploadRef): Promise<Upload> {
    return readLive(this.store, readUpload, ref)
  }

  listUploads(query: ListUploadsQuery): Promise<Page<ListedUpload>> {
    return this.store.read(async (view) => listUploads(view, await bucketIdOf(view, query), query))
  }

  listParts(query: QueryOf<'listParts'>): Promise<Page<Part>> {
    return this.store.read((view) => listParts(view, query))
  }

  getParts(query: QueryOf<'getParts'>): Promise<readonly Part[]> {
    return this.store.read((view) => getParts(view, query))
  }

  getUser(name: string): User | Promise<User> {
    return readLive(this.store, readUser, name)
  }

  listUsers(query: QueryOf<'listUsers'>): Promise<Page<User>> {
    return this.store.read((view) => listUsers(view, query))
  }

  getAccessKey(id: string): AccessKey | Promise<AccessKey> {
    return readLive(this.store, readAccessKey, id)
  }

  listAccessKeys(query: QueryOf<'listAccessKeys'>): Promise<Page<AccessKey>> {
    return this.store.read((view) => listAccessKeys(view, query))
  }

  /** `InvalidArgument` for a count that is none, `TooManyEntries`, `NotLeader`, and what SCM refuses. */
  async leaseBlocks({ holder, count, replication }: QueryOf<'leaseBlocks'>, options?: ExecuteOptions): Promise<Lease> {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new StoreError('InvalidArgument', 'a lease has 1 block or more')
    if (count > maxBlocksPerLease) {
      throw new StoreError('TooManyEntries', `a lease has at most ${maxBlocksPerLease} blocks`)
    }
    // The store would refuse the lease too, but only after SCM was asked for a stock of blocks that nobody here may lease.
    this.leadership.expectTerm(options?.term)
    // No block leaves the stock that nobody could write.
    await this.access.keys.ready()
    const ranges = await this.stock.take(count, replication)
    const durationMs = this.config.leaseDurationMs
    const reply = await this.grant({ kind: 'grant-lease', holder, durationMs, replication, ranges }, options)
    if (reply.kind !== 'lease') throw new StoreError('Internal', `grant-lease was answered with ${reply.kind}`)
    // A repeated request is answered with the lease of the first time, and these blocks went into none.
    if (!isSameRanges(reply.lease.ranges, ranges)) this.stock.giveBack(ranges, replication)
    return this.access.writable(reply.lease)
  }

  /** `OmClient.lookup` for those who ask from afar; under another name, because those who are here have no need of it. */
  lookupRows(request: LookupRequest): LookupAnswer | Promise<LookupAnswer> {
    const answer = readLive(this.store, readLookup, request)
    return answer instanceof Promise ? answer.then(this.withAccess) : this.withAccess(answer)
  }

  /** `getKey` for those who ask from afar: with tokens for its blocks. `Unavailable` while there are no keys for them. */
  getReadableKey(ref: KeyRef): Key | Promise<Key> {
    const key = this.getKey(ref)
    return key instanceof Promise ? key.then(this.access.readable) : this.access.readable(key)
  }

  audit(): Promise<readonly string[]> {
    return this.store.read(auditStore)
  }

  private async commit(
    command: Extract<OmCommand, { kind: 'commit-key' | 'commit-part' }>,
    options?: ExecuteOptions,
  ): Promise<OmReply> {
    const { content } = command
    if (content.kind === 'leased' || content.kind === 'leased-many') {
      // A member that does not lead would read the leases behind a barrier, and then refuse the commit.
      this.leadership.expectTerm(options?.term)
      await this.access.checkProofs(content)
    }
    return this.store.execute(command, options)
  }

  private async renew(
    command: Extract<OmCommand, { kind: 'renew-lease' }>,
    options?: ExecuteOptions,
  ): Promise<OmReply> {
    const reply = await this.store.execute(command, options)
    return reply.kind === 'lease' ? { ...reply, lease: await this.access.writable(reply.lease) } : reply
  }

  /** Without keys the key is left out, so that it is asked for by itself, and that answer says why it cannot be read. */
  private readonly withAccess = (answer: LookupAnswer): LookupAnswer => {
    const { key, ...rest } = answer
    if (key?.kind !== 'row' || key.row.content.kind === 'inline') return answer
    const row = this.access.readableNow(key.row)
    return row === undefined ? rest : { ...rest, key: { kind: 'row', row } }
  }

  /** Blocks that were surely not granted go back to the stock; those of an unknown outcome may be somebody's. */
  private async grant(
    command: Extract<OmCommand, { kind: 'grant-lease' }>,
    options?: ExecuteOptions,
  ): Promise<OmReply> {
    try {
      return await this.store.execute(command, options)
    } catch (error) {
      if (isStoreError(error, 'Busy', 'OutOfSpace', 'NotLeader'))
        this.stock.giveBack(command.ranges, command.replication)
      throw error
    }
  }
}

/** The same block is never in the stock twice, so the first of each tells them apart. */
function isSameRanges(a: readonly BlockRange[], b: readonly BlockRange[]): boolean {
  return a[0]?.container === b[0]?.container && a[0]?.firstLocal === b[0]?.firstLocal
}
