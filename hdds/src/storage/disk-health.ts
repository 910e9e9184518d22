import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { diskFailureText } from '../core/disk-failure.ts'

/**
 * Whether a disk still takes writes. After one write or sync that failed nobody knows what is on it (a later sync may
 * succeed over lost pages), so the first failure is the last: until a restart has read the files again, every write is
 * refused. Reads go on, each proven by its checksums.
 */
export class DiskHealth {
  private readonly path: string
  private readonly log: Logger
  private failure: StoreError | undefined
  private text = ''
  private readonly listeners: ((error: StoreError) => void)[] = []

  constructor(path: string, log: Logger) {
    this.path = path
    this.log = log
  }

  get failed(): StoreError | undefined {
    return this.failure
  }

  /** Why it failed, for a person; undefined while it has not. */
  get problem(): string | undefined {
    return this.failure && this.text
  }

  /** Throws `VolumeFailed`. */
  assertWritable(): void {
    if (this.failure !== undefined) throw this.failure
  }

  onFailure(listener: (error: StoreError) => void): void {
    this.listeners.push(listener)
  }

  /** The error to reject with; the first call decides. */
  fail(cause: unknown): StoreError {
    if (this.failure !== undefined) return this.failure
    this.failure = new StoreError('VolumeFailed', 'a disk failed and takes no more writes until a restart', {
      details: { path: this.path },
      cause,
    })
    this.text = cause instanceof StoreError ? diskFailureText(cause, this.path) : 'it does not work'
    this.log.error({ path: this.path, error: cause }, 'the disk failed: no more writes until a restart')
    for (const listener of this.listeners) listener(this.failure)
    return this.failure
  }
}
