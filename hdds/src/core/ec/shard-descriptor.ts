/**
 * The block in each shard that says what the shard is. It is written last: a shard that has it has everything.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError, assert } from '@o3/common/errors'
import type { ContainerId, EcPolicy } from '@o3/scm/api'
import { maxChunkBytes } from '../../api/api.ts'
import { policyNumber, policyOf, shapeOf } from './ec-shape.ts'
import type { EcStream } from './stripe-layout.ts'

/** What all shards of an encoding have in common. */
export interface EncodingDescriptor {
  readonly policy: EcPolicy
  /** The container whose blocks these are. */
  readonly parent: ContainerId
  readonly cellBytes: number
  readonly streamBytes: number
  readonly blockCount: number
  /** Of the directory: all pages together. */
  readonly directoryBytes: number
  readonly indexBytes: number
  /** CRC32C of the directory's index, which has those of the pages. */
  readonly indexChecksum: number
  /** Of the parent when it was encoded, if it was known. */
  readonly contentHash: string | undefined
}

export interface ShardDescriptor extends EncodingDescriptor {
  /** In the order of the code: data first, then parity. */
  readonly shard: number
}

/** Its length is fixed, because a reader must know it before. */
export const descriptorBytes = 128

const version = 1

/**
 * | version 1 | policy | shard | parent | cell | stream | blocks | directory | index: length, CRC32C | content hash | zeros |;
 * numbers are varints, the CRC32C is 4 bytes.
 */
export function encodeDescriptor(descriptor: ShardDescriptor): Uint8Array {
  const record = new ByteWriter(descriptorBytes)
    .u8(version)
    .varint(policyNumber(descriptor.policy))
    .varint(descriptor.shard)
    .varint(descriptor.parent)
    .varint(descriptor.cellBytes)
    .varint(descriptor.streamBytes)
    .varint(descriptor.blockCount)
    .varint(descriptor.directoryBytes)
    .varint(descriptor.indexBytes)
    .u32(descriptor.indexChecksum)
    .optional(descriptor.contentHash, (writer, hash) => writer.binary(hash))
    .finish()
  assert(record.length <= descriptorBytes, 'a descriptor is longer than its block')
  const padded = new Uint8Array(descriptorBytes)
  padded.set(record)
  return padded
}

/** Throws `Damaged`, and `Incompatible` for what this release does not know. */
export function decodeDescriptor(bytes: Uint8Array): ShardDescriptor {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `a shard of version ${found}; this release reads version ${version}`)
  }
  const descriptor = {
    policy: policyOf(reader.varint()),
    shard: reader.varint(),
    parent: reader.varint(),
    cellBytes: reader.varint(),
    streamBytes: reader.varint(),
    blockCount: reader.varint(),
    directoryBytes: reader.varint(),
    indexBytes: reader.varint(),
    indexChecksum: reader.u32(),
    contentHash: reader.optional((from) => from.binary()),
  }
  const { cellBytes, indexBytes } = descriptor
  if (cellBytes < 1 || cellBytes > maxChunkBytes || indexBytes > maxChunkBytes) {
    throw new StoreError('Damaged', 'a shard describes what cannot be')
  }
  return descriptor
}

/** The stream that the shards hold. */
export function streamOf({ policy, cellBytes, streamBytes }: EncodingDescriptor): EcStream {
  const { dataShards, parityShards } = shapeOf(policy)
  return { dataShards, parityShards, cellBytes, streamBytes }
}

/** Two shards of one encoding: all but the shard's number is the same. */
export function sameEncoding(a: EncodingDescriptor, b: EncodingDescriptor): boolean {
  return (
    a.policy === b.policy &&
    a.parent === b.parent &&
    a.cellBytes === b.cellBytes &&
    a.streamBytes === b.streamBytes &&
    a.blockCount === b.blockCount &&
    a.directoryBytes === b.directoryBytes &&
    a.indexBytes === b.indexBytes &&
    a.indexChecksum === b.indexChecksum &&
    a.contentHash === b.contentHash
  )
}
