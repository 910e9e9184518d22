/** Volumes, and their counters in rows of their own: a PUT rewrites a few bytes and not a volume's metadata. */

import type { ByteReader, ByteWriter } from '@o3/common/codec'
import { utf8ToBinary } from '@o3/common/codec'
import type { Table } from '@o3/ratis/api'
import type { Quota, Usage, Volume, VolumeRight } from '../../api/api.ts'
import { choice, openRow, startRow } from './row.ts'

export type VolumeRow = Omit<Volume, 'name' | 'usage'>
export type VolumeUsageRow = Usage & { readonly buckets: number }

// The order is persisted: append, never reorder.
const rights: readonly VolumeRight[] = ['read', 'create-bucket', 'all']

/** By name, which is ASCII; but what is looked up may be any text. */
export const volumes: Table<string, VolumeRow> = {
  name: 'volumes',
  prefix: 'v',
  encodeKey: utf8ToBinary,
  decodeKey: (binary) => binary,
  encode: (row) => {
    const writer = startRow().utf8(row.owner).varint(row.createdMs).varint(row.modifiedMs)
    writeQuota(writer, row.quota)
    writeMembers(writer, row.members, rights)
    return writer.textMap(row.metadata).finish()
  },
  decode: (bytes) => {
    const reader = openRow(bytes, 'volumes')
    return {
      owner: reader.utf8(),
      createdMs: reader.varint(),
      modifiedMs: reader.varint(),
      quota: readQuota(reader),
      members: readMembers(reader, rights),
      metadata: reader.textMap(),
    }
  },
}

/** By volume name. */
export const volumeUsage: Table<string, VolumeUsageRow> = {
  name: 'volume-usage',
  prefix: 'V',
  encodeKey: utf8ToBinary,
  decodeKey: (binary) => binary,
  encode: (row) => startRow(24).varint(row.bytes).varint(row.keys).varint(row.buckets).finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'volume-usage')
    return { bytes: reader.varint(), keys: reader.varint(), buckets: reader.varint() }
  },
}

export function writeQuota(writer: ByteWriter, quota: Quota): void {
  writer.optional(quota.bytes, writeCount).optional(quota.keys, writeCount).optional(quota.buckets, writeCount)
}

export function readQuota(reader: ByteReader): Quota {
  const bytes = reader.optional(readCount)
  const keys = reader.optional(readCount)
  const buckets = reader.optional(readCount)
  return {
    ...(bytes === undefined ? {} : { bytes }),
    ...(keys === undefined ? {} : { keys }),
    ...(buckets === undefined ? {} : { buckets }),
  }
}

export function writeMembers<R extends string>(
  writer: ByteWriter,
  members: Readonly<Record<string, R>>,
  choices: readonly R[],
): void {
  writer.list(Object.entries(members), (each, [name, right]) => each.utf8(name).u8(choices.indexOf(right)))
}

export function readMembers<R extends string>(reader: ByteReader, choices: readonly R[]): Record<string, R> {
  // fromEntries defines, and never runs a setter: a member named __proto__ stays a member.
  return Object.fromEntries(reader.list((each) => [each.utf8(), choice(choices, each.u8())] as const))
}

function writeCount(writer: ByteWriter, count: number): void {
  writer.varint(count)
}

function readCount(reader: ByteReader): number {
  return reader.varint()
}
