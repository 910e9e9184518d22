import { diskError } from '../shared/disk-error.ts'
import type { Cancel } from '../env.ts'

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'size'
  | 'close'
  | 'stat'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'space'
  | 'lock'

/** A failure to come. */
export interface DiskFault {
  readonly operation: DiskOperation
  /** `EIO` becomes `Damaged`, `ENOSPC` becomes `OutOfSpace`; see `diskError`. */
  readonly errno: string
  /** Which paths it strikes, as the caller writes them. Default: all. */
  readonly path?: RegExp
  /** How many matching operations it lets pass first. Default 0. */
  readonly after?: number
  /** How often it strikes. Default 1. */
  readonly times?: number
  /** Of a `write`: how many bytes land before it fails. Default 0. */
  readonly landedBytes?: number
}

/** What an operation is told when a fault strikes. */
export interface Struck {
  readonly error: Error
  readonly landedBytes: number
}

/** The faults that are still to strike. */
export class DiskFaults {
  readonly #armed: { readonly fault: DiskFault; passes: number; strikes: number }[] = []

  add(fault: DiskFault): Cancel {
    const armed = { fault, passes: fault.after ?? 0, strikes: fault.times ?? 1 }
    this.#armed.push(armed)
    return () => {
      armed.strikes = 0
    }
  }

  /** To be asked once for each operation. */
  strike(operation: DiskOperation, path: string): Struck | undefined {
    for (const armed of this.#armed) {
      const { fault } = armed
      if (fault.operation !== operation || armed.strikes === 0 || fault.path?.test(path) === false) continue
      if (armed.passes > 0) armed.passes--
      else {
        armed.strikes--
        return { error: diskError({ errno: fault.errno, operation, path }), landedBytes: fault.landedBytes ?? 0 }
      }
    }
    return undefined
  }
}
