import type { Env } from '@o3/common/env'

export interface SpaceGuardOptions {
  readonly directory: string
  /** Below this much free space only commands that free space are taken. */
  readonly minFreeBytes: number
  readonly sampleMs: number
}

/**
 * Watches the free space of the store's disk, so that the key-value store, which grows after the fact, never meets a full
 * disk. Samples when asked and the last sample is old: an idle store touches nothing.
 */
export class SpaceGuard {
  private readonly env: Env
  private readonly options: SpaceGuardOptions
  private availableBytes = Number.POSITIVE_INFINITY
  private nextSampleMs = Number.NEGATIVE_INFINITY
  private sampling = false

  constructor(env: Env, options: SpaceGuardOptions) {
    this.env = env
    this.options = options
  }

  /** By the last sample: too little for commands that need space. */
  isLow(): boolean {
    if (!this.sampling && this.env.clock.monotonicMs() >= this.nextSampleMs) void this.sample()
    return this.availableBytes < this.options.minFreeBytes
  }

  /**
   * By a new sample: enough for the key-value store to write its tables. Far below what keeps commands out, or the log
   * of those that free space could never be cut.
   */
  async hasRoom(): Promise<boolean> {
    await this.sample()
    return this.availableBytes >= this.options.minFreeBytes / 8
  }

  private async sample(): Promise<void> {
    this.sampling = true
    try {
      this.availableBytes = (await this.env.disk.space(this.options.directory)).availableBytes
    } catch {
      // No figure: the writes themselves will say whether there is space.
      this.availableBytes = Number.POSITIVE_INFINITY
    } finally {
      this.sampling = false
      this.nextSampleMs = this.env.clock.monotonicMs() + this.options.sampleMs
    }
  }
}
