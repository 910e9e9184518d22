/** How OM behaves; composition fills it from the configuration file. */
export interface OmConfig {
  /** How long a gateway may commit the blocks of a lease without renewing it. */
  readonly leaseDurationMs: number
  /** How long the blocks of a key may be read after it was looked up. */
  readonly readTokenMs: number
  /** The longest block that a datanode takes from a gateway. */
  readonly maxBlockBytes: number
  /** Blocks fetched from SCM at once and kept ahead of need; a quarter of it left starts the next fetch. */
  readonly stockBlocks: number
  /** Stock that was not used by then is dropped: its containers may have been closed. No byte was ever written to it. */
  readonly stockMaxAgeMs: number
  /**
   * How long the blocks of a deleted or overwritten key stay readable: for the downloads that were under way. Disk space
   * comes back after that.
   */
  readonly blockDeletionDelayMs: number
  /** Queue positions handed to SCM at once. */
  readonly blockDeletionBatch: number
  /** Pause between two rounds of each reconciler. */
  readonly reconcileIntervalMs: number
}

export const defaultOmConfig: OmConfig = {
  leaseDurationMs: 10 * 60_000,
  readTokenMs: 15 * 60_000,
  maxBlockBytes: 1024 ** 3,
  stockBlocks: 1_024,
  stockMaxAgeMs: 60_000,
  blockDeletionDelayMs: 5 * 60_000,
  blockDeletionBatch: 256,
  reconcileIntervalMs: 1_000,
}
