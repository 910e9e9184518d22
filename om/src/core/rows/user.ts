/** Users, what they own, and their access keys. */

import { binaryToUtf8, utf8ToBinary } from '@o3/common/codec'
import type { Table } from '@o3/ratis/api'
import type { AccessKey, User } from '../../api/api.ts'
import { openRow, startRow } from './row.ts'

export interface UserRow extends Omit<User, 'name'> {
  /** Ids, so that a user's keys can go with it. At most `maxAccessKeysPerUser`. */
  readonly accessKeys: readonly string[]
}

/** Of volumes and buckets together; the row exists while it is above 0. */
export type OwnedCount = number

export type AccessKeyRow = Omit<AccessKey, 'id'>

export const users: Table<string, UserRow> = {
  name: 'users',
  prefix: 'n',
  encodeKey: utf8ToBinary,
  decodeKey: binaryToUtf8,
  encode: (row) =>
    startRow()
      .bool(row.admin)
      .bool(row.enabled)
      .varint(row.createdMs)
      .list(row.accessKeys, (each, id) => each.utf8(id))
      .finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'users')
    return {
      admin: reader.bool(),
      enabled: reader.bool(),
      createdMs: reader.varint(),
      accessKeys: reader.list((each) => each.utf8()),
    }
  },
}

/** By owner, who need not be a user yet: an owner's name is a claim that an administrator made. */
export const owners: Table<string, OwnedCount> = {
  name: 'owners',
  prefix: 'o',
  encodeKey: utf8ToBinary,
  decodeKey: binaryToUtf8,
  encode: (count) => startRow(16).varint(count).finish(),
  decode: (bytes) => openRow(bytes, 'owners').varint(),
}

export const accessKeys: Table<string, AccessKeyRow> = {
  name: 'access-keys',
  prefix: 'k',
  encodeKey: utf8ToBinary,
  decodeKey: binaryToUtf8,
  encode: (row) =>
    startRow(128).utf8(row.user).bytes(row.sealedSecret).bool(row.enabled).varint(row.createdMs).finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'access-keys')
    return {
      user: reader.utf8(),
      sealedSecret: reader.bytes(),
      enabled: reader.bool(),
      createdMs: reader.varint(),
    }
  },
}
