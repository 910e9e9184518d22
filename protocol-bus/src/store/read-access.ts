/** How the blocks of one key are reached, for as long as somebody reads them. */

import type { Clock } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { BlockAccess } from '@o3/hdds/api'
import type { Key, KeyAccess } from '@o3/om/api'
import type { BlockId } from '@o3/scm/api'

export interface ReadAccessOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** The key as it is now. */
  readonly lookUp: () => Key | Promise<Key>
}

/** After a lookup that failed. */
const againMs = 5_000
const free: BlockAccess = {}

/**
 * OM's tokens are good for minutes, and a slow reader takes hours. So the key is looked up again at half of their time; what
 * was asked for with an access of here finds the newer token in it. A key that has been overwritten meanwhile gets no new
 * ones: its blocks go soon anyway, and what is here outlives them.
 */
export class ReadAccess {
  private readonly key: Key
  private readonly options: ReadAccessOptions
  private access: KeyAccess | undefined
  private renewMs = Infinity
  /** Where the last block was found: readers go forward. */
  private at = 0

  constructor(key: Key, options: ReadAccessOptions) {
    this.key = key
    this.options = options
    this.take(key.access)
  }

  /** It lives: whoever keeps it and asks again later has the newer token. */
  of(block: BlockId): BlockAccess {
    if (this.tokenFor(block) === undefined) return free
    const token = (): Uint8Array => this.tokenFor(block) as Uint8Array
    return {
      get token() {
        return token()
      },
    }
  }

  get isOld(): boolean {
    return this.options.clock.monotonicMs() >= this.renewMs
  }

  /** Never rejects with what OM refuses: the tokens that are here may be good for a while. */
  async renew(): Promise<void> {
    const { clock, lookUp } = this.options
    this.renewMs = clock.monotonicMs() + againMs
    try {
      const found = await lookUp()
      if (found.updateId === this.key.updateId) this.take(found.access)
      else this.renewMs = Infinity
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (isStoreError(error, 'KeyNotFound', 'BucketNotFound')) this.renewMs = Infinity
    }
  }

  private take(access: KeyAccess | undefined): void {
    if (access === undefined) return
    this.access = access
    this.at = 0
    this.renewMs = this.options.clock.monotonicMs() + access.validMs / 2
  }

  private tokenFor({ container, local }: BlockId): Uint8Array | undefined {
    const grants = this.access?.grants ?? []
    for (let tried = 0; tried < grants.length; tried++) {
      const index = (this.at + tried) % grants.length
      const grant = grants[index]
      if (grant === undefined || grant.container !== container) continue
      if (local < grant.firstLocal || local >= grant.firstLocal + grant.count) continue
      this.at = index
      return grant.token
    }
    return undefined
  }
}
