import { StoreError, type StoreErrorCode } from '../errors.ts'

/** The `StoreError` for what classic-level threw about the store at `path`. */
export function levelError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const cause = rootOf(error)
  return new StoreError(codeFor(cause), `key-value store: ${cause.message}`, { details: { path }, cause: error })
}

/** abstract-level wraps what went wrong while it opened. */
function rootOf(error: unknown): Error & { readonly code?: string } {
  if (!(error instanceof Error)) return new Error(String(error))
  return error.cause instanceof Error ? rootOf(error.cause) : error
}

const codes: Readonly<Record<string, StoreErrorCode>> = {
  LEVEL_LOCKED: 'Busy',
  LEVEL_CORRUPTION: 'Damaged',
  LEVEL_DATABASE_NOT_OPEN: 'Closed',
  LEVEL_ITERATOR_NOT_OPEN: 'Closed',
  LEVEL_SNAPSHOT_NOT_OPEN: 'Closed',
}

function codeFor(error: Error & { readonly code?: string }): StoreErrorCode {
  const code = codes[error.code ?? '']
  if (code !== undefined) return code
  // Of an I/O error LevelDB passes on the text of strerror and nothing else.
  return /No space left|quota exceeded/i.test(error.message) ? 'OutOfSpace' : 'VolumeFailed'
}
