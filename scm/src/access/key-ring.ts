/** SCM's secret keys as a process of OM or of a datanode has them: in memory, and asked for again ahead of need. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { ScmSecretKeyProtocol, SecretKey } from '../api/api.ts'
import { signingKey } from '../core/secret-key.ts'

export interface KeyRingOptions {
  readonly scm: ScmSecretKeyProtocol
  readonly clock: Clock
  readonly log: Logger
}

/** After a failure, and for a key that nobody may ever have made: SCM is asked no more often than that. */
const retryMs = 1_000
/** An SCM that says nothing of when to ask again. */
const longestRefreshMs = 3_600_000

/**
 * Nothing is kept on a disk: a process that starts while SCM cannot be reached has no keys until it can, and what needs one is
 * `Unavailable`. One that runs goes on with what it has for as long as that is believed.
 */
export class KeyRing {
  private readonly options: KeyRingOptions
  private keys = new Map<number, SecretKey>()
  private refreshMs = retryMs
  private askedMs = -Infinity
  private asking: Promise<void> | undefined

  constructor(options: KeyRingOptions) {
    this.options = options
  }

  /** The key that signs now, if it is here. */
  get signing(): SecretKey | undefined {
    return signingKey([...this.keys.values()], this.options.clock.wallMs())
  }

  /** The same; asks SCM when it is not here. `Unavailable`. */
  async ready(): Promise<SecretKey> {
    const known = this.signing
    if (known !== undefined) return known
    await this.ask()
    const found = this.signing
    if (found !== undefined) return found
    throw new StoreError('Unavailable', 'SCM has no secret key that signs now')
  }

  /** The key with this id while it is believed, if it is here. */
  find(id: number): SecretKey | undefined {
    const key = this.keys.get(id)
    return key !== undefined && key.expiresMs > this.options.clock.wallMs() ? key : undefined
  }

  /**
   * The same; where it is not here SCM is asked, at most once a second for all that are not: an id can be made up. Undefined:
   * there is none. `Unavailable` when SCM could not be asked just now.
   */
  async lookFor(id: number): Promise<SecretKey | undefined> {
    const known = this.find(id)
    if (known !== undefined) return known
    const isRecent = this.options.clock.monotonicMs() < this.askedMs + retryMs
    if (!isRecent || this.asking !== undefined || this.keys.size === 0) await this.ask()
    return this.find(id)
  }

  /** Keeps the keys fresh until `signal` aborts; rejects with its reason, as a task does. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options
    let isAway = false
    for (;;) {
      try {
        await this.ask()
        isAway = false
      } catch (error) {
        signal.throwIfAborted()
        if (!isStoreError(error)) throw error
        if (!isAway) log.warn({ error }, 'SCM gives no secret keys; those that are here go on, and it is asked again')
        isAway = true
      }
      await clock.sleep(isAway ? retryMs : this.refreshMs, signal)
    }
  }

  /** One question at a time; who comes meanwhile waits for its answer. */
  private ask(): Promise<void> {
    this.asking ??= this.askNow().finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  private async askNow(): Promise<void> {
    const { scm, clock } = this.options
    this.askedMs = clock.monotonicMs()
    try {
      const { keys, refreshMs } = await scm.secretKeys()
      this.refreshMs = Math.min(Math.max(refreshMs, retryMs), longestRefreshMs)
      this.keys = new Map(keys.map((key) => [key.id, this.keys.get(key.id) ?? key]))
    } catch (error) {
      if (!isStoreError(error)) throw error
      throw new StoreError('Unavailable', 'the secret keys of block tokens cannot be had from SCM', { cause: error })
    }
  }
}
