import type { StoreErrorCode } from '@o3/common/errors'
import { StoreError } from '@o3/common/errors'

/** The error that `action` rejects with; fails when it has another code, or there is none. */
export async function rejection(action: Promise<unknown>, code: StoreErrorCode): Promise<StoreError> {
  try {
    await action
  } catch (error) {
    if (error instanceof StoreError && error.code === code) return error
    throw error
  }
  throw new Error(`${code} was expected, and it succeeded`)
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const copies: Uint8Array[] = []
  for await (const piece of pieces) copies.push(Uint8Array.from(piece))
  return Buffer.concat(copies)
}
