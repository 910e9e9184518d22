import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { KvEntry } from '@o3/common/kv'

/** | version 1 | rows: key, value | */
const version = 1

/** Some rows of a snapshot, in order of their keys. */
export function encodePiece(rows: readonly KvEntry[], sizeHint: number): Uint8Array {
  return new ByteWriter(sizeHint)
    .u8(version)
    .list(rows, (writer, { key, value }) => writer.binary(key).bytes(value))
    .finish()
}

/** Values are views of `bytes`. Throws `Damaged`, or `Incompatible` for a version that this release does not know. */
export function decodePiece(bytes: Uint8Array): readonly KvEntry[] {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `piece of a snapshot of version ${found}; this release reads ${version}`)
  }
  return reader.list((row) => ({ key: row.binary(), value: row.bytes() }))
}
