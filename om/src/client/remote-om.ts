import type { Ask, GroupClient } from '@o3/common/rpc'
import { askerOf } from '@o3/common/rpc'
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
import { omMethods } from '../rpc/methods.ts'
import type { OmMethods } from '../rpc/methods.ts'

type QueryOf<Method extends keyof OmClient> = Parameters<Required<OmClient>[Method]>[0]

/** What it needs of a group: to be asked, and a name for each change. */
export type OmGroup = Pick<GroupClient, 'call' | 'newRequestId'>

/**
 * OM in other processes, with every promise of `OmClient`: whichever member leads answers. What changes something carries
 * a request id, the caller's or one of its own, so a repetition after a lost answer is not done twice. Beside OM's own
 * errors there are those of `GroupClient.call`. Nothing is answered synchronously.
 */
export class RemoteOm implements OmClient {
  private readonly group: OmGroup
  private readonly ask: Ask<OmMethods>

  /** The group belongs to the caller, who closes it. */
  constructor(group: OmGroup) {
    this.group = group
    this.ask = askerOf(group, omMethods)
  }

  execute(command: OmCommand, options: { readonly requestId?: string } = {}): Promise<OmReply> {
    return this.ask('om.execute.1', { command, requestId: options.requestId ?? this.group.newRequestId() })
  }

  getVolume(volume: string): Promise<Volume> {
    return this.ask('om.getVolume.1', volume)
  }

  listVolumes(query: QueryOf<'listVolumes'>): Promise<Page<Volume>> {
    return this.ask('om.listVolumes.1', query)
  }

  getBucket(ref: BucketRef): Promise<Bucket> {
    return this.ask('om.getBucket.1', ref)
  }

  listBuckets(query: QueryOf<'listBuckets'>): Promise<Page<Bucket>> {
    return this.ask('om.listBuckets.1', query)
  }

  getKey(ref: KeyRef): Promise<Key> {
    return this.ask('om.getKey.1', ref)
  }

  /** A page that would be larger than an answer ends early, and is `truncated`. So do all lists. */
  listKeys(query: ListKeysQuery): Promise<Page<ListedEntry>> {
    return this.ask('om.listKeys.1', query)
  }

  getUpload(ref: KeyRef & { readonly upload: UploadId }): Promise<Upload> {
    return this.ask('om.getUpload.1', ref)
  }

  listUploads(query: ListUploadsQuery): Promise<Page<ListedUpload>> {
    return this.ask('om.listUploads.1', query)
  }

  listParts(query: QueryOf<'listParts'>): Promise<Page<Part>> {
    return this.ask('om.listParts.1', query)
  }

  /** In several answers when one cannot hold them, so perhaps of several moments. */
  async getParts(query: QueryOf<'getParts'>): Promise<readonly Part[]> {
    const found: Part[] = []
    let { numbers } = query
    for (;;) {
      const page = await this.ask('om.getParts.1', { ...query, numbers })
      found.push(...page.items)
      const last = page.items.at(-1)
      if (!page.truncated || last === undefined) return found
      numbers = numbers.filter((number) => number > last.number)
    }
  }

  getUser(name: string): Promise<User> {
    return this.ask('om.getUser.1', name)
  }

  listUsers(query: QueryOf<'listUsers'>): Promise<Page<User>> {
    return this.ask('om.listUsers.1', query)
  }

  getAccessKey(id: string): Promise<AccessKey> {
    return this.ask('om.getAccessKey.1', id)
  }

  listAccessKeys(query: QueryOf<'listAccessKeys'>): Promise<Page<AccessKey>> {
    return this.ask('om.listAccessKeys.1', query)
  }

  leaseBlocks(request: QueryOf<'leaseBlocks'>, options: { readonly requestId?: string } = {}): Promise<Lease> {
    return this.ask('om.leaseBlocks.1', { ...request, requestId: options.requestId ?? this.group.newRequestId() })
  }

  lookup(request: LookupRequest): Promise<LookupAnswer> {
    return this.ask('om.lookup.1', request)
  }

  /** As many differences as an answer holds. */
  async audit(): Promise<readonly string[]> {
    const { items, truncated } = await this.ask('om.audit.1', undefined)
    return truncated ? [...items, 'and more, which one answer does not hold'] : items
  }
}
