/** What OM says to datanodes of its callers, and what it believes of datanodes: tokens given, proofs checked. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { SecretKey } from '@o3/scm/api'
import { Vouching, anyLength } from '@o3/scm/tokens'
import type { KeyRing } from '@o3/scm/tokens'
import type { Extent, Key, Lease, LeaseId, NewContent, OmCommand, OmReply } from '../api/api.ts'
import type { OmConfig } from '../config.ts'
import { blockRuns } from '../core/block-runs.ts'
import { leases } from '../core/rows/lease.ts'

export interface BlockAccessParts {
  readonly store: Pick<ReplicatedStore<OmCommand, OmReply>, 'get'>
  readonly keys: KeyRing
  readonly clock: Clock
  readonly config: OmConfig
}

/** Content of blocks that were just written. */
export type Leased = Extract<NewContent, { readonly kind: 'leased' | 'leased-many' }>
interface Piece {
  readonly lease: LeaseId
  readonly extents: readonly Extent[]
}

/** Everything rejects with `Unavailable` while there are no keys: then nobody is let in, rather than everybody. */
export class BlockAccess {
  readonly keys: KeyRing
  private readonly store: BlockAccessParts['store']
  private readonly clock: Clock
  private readonly config: OmConfig
  private readonly vouching: Vouching

  constructor({ store, keys, clock, config }: BlockAccessParts) {
    this.keys = keys
    this.store = store
    this.clock = clock
    this.config = config
    this.vouching = new Vouching({ keys, clock })
  }

  /** With a token for each range, good for as long as the lease. */
  async writable(lease: Lease): Promise<Lease> {
    const key = await this.keys.ready()
    const { expiresMs } = lease
    const maxBytes = this.config.maxBlockBytes
    const tokens = lease.ranges.map((range) =>
      this.vouching.token({ ...range, mode: 'WRITE', maxBytes, expiresMs }, key),
    )
    return { ...lease, tokens }
  }

  /** With tokens for its blocks, where it has any. At once when the key is here. */
  readonly readable = (key: Key): Key | Promise<Key> => {
    return key.content.kind === 'inline' ? key : (this.readableNow(key) ?? this.readableLater(key))
  }

  /** The same, or undefined where a key would have to be asked for. */
  readableNow(key: Key): Key | undefined {
    const { signing } = this.keys
    return signing === undefined ? undefined : this.withTokens(key, signing)
  }

  private async readableLater(key: Key): Promise<Key> {
    return this.withTokens(key, await this.keys.ready())
  }

  private withTokens(key: Key, signing: SecretKey): Key {
    const validMs = this.config.readTokenMs
    const expiresMs = this.clock.wallMs() + validMs
    const grants = blockRuns(key.content).map((run) => {
      return { ...run, token: this.vouching.token({ ...run, mode: 'READ', maxBytes: anyLength, expiresMs }, signing) }
    })
    return { ...key, access: { validMs, grants } }
  }

  /**
   * `InvalidArgument` unless datanodes have signed, for every extent, that it is durable. Whether the blocks are of the lease is
   * for the rules to say, which know what else was committed meanwhile. Of a lease that is over one proof is wanted: the
   * repetition of a commit is answered as before, and all else the rules refuse.
   */
  async checkProofs(content: Leased): Promise<void> {
    for (const { lease, extents } of piecesOf(content)) {
      const found = this.store.get(leases, lease)
      const { replication = 'RATIS/ONE' } = (found instanceof Promise ? await found : found) ?? {}
      for (const extent of extents) {
        const { block, length, proofs = [] } = extent
        const judging = this.vouching.lack({ block, lengthBytes: length }, proofs, replication)
        const lack = judging instanceof Promise ? await judging : judging
        if (lack !== undefined) throw unproven(extent, lack)
      }
    }
  }
}

function piecesOf(content: Leased): readonly Piece[] {
  return content.kind === 'leased' ? [content] : content.pieces
}

function unproven({ block }: Extent, lack: string): StoreError {
  return new StoreError('InvalidArgument', `no datanode vouches for block ${block.container}/${block.local}: ${lack}`, {
    details: { container: block.container, local: block.local },
  })
}
