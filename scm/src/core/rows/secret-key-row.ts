import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter, readU64Key, u64Key } from '@o3/common/codec'
import { readVersion } from './row-codec.ts'

/** A secret key as it is written down. */
export interface SecretKeyRow {
  /** Opens only with the cluster's sealing key, and only under its own id. */
  readonly sealed: Uint8Array
  readonly activeFromMs: number
  readonly expiresMs: number
}

export const secretKeys: Table<number, SecretKeyRow> = {
  name: 'secret-keys',
  prefix: 'k',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) => new ByteWriter().u8(1).bytes(row.sealed).varint(row.activeFromMs).varint(row.expiresMs).finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    readVersion(reader, 'secret key', 1)
    // The row may be cached for long: not with what it was read from.
    return { sealed: reader.bytes().slice(), activeFromMs: reader.varint(), expiresMs: reader.varint() }
  },
}
