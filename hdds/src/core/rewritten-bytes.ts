/** Bytes of a container file that a start writes again where they are: the body of the file `REWRITE`. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { ContainerFileName } from './container-name.ts'

export interface RewrittenBytes {
  readonly name: ContainerFileName
  readonly from: number
  readonly bytes: Uint8Array
}

const version = 1

export function encodeRewrittenBytes({ name, from, bytes }: RewrittenBytes): Uint8Array {
  return new ByteWriter(bytes.length + 32)
    .u8(version)
    .varint(name.container)
    .varint(name.generation)
    .varint(from)
    .bytes(bytes)
    .finish()
}

/** Throws `Incompatible` for a version that this release does not know. */
export function decodeRewrittenBytes(body: Uint8Array): RewrittenBytes {
  const reader = new ByteReader(body)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `rewritten bytes of version ${found}; this release reads version ${version}`)
  }
  const name = { container: reader.varint(), generation: reader.varint() }
  return { name, from: reader.varint(), bytes: reader.bytes() }
}
