/** Replies as bytes: the store remembers them, so that a repeated request is answered and not done again. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { OmReply } from '../api/api.ts'
import { bucketOf, volumeOf } from './records.ts'
import { buckets, bucketUsage, replications } from './rows/bucket.ts'
import { rootDirectory } from './rows/entry.ts'
import { readRange, writeRange } from './rows/lease.ts'
import { choice } from './rows/row.ts'
import { volumes, volumeUsage } from './rows/volume.ts'

const version = 1

type DeletedMany = Extract<OmReply, { kind: 'deleted-many' }>
type DeletedResult = DeletedMany['results'][number]

// The orders are persisted: append, never reorder.
const kinds: readonly OmReply['kind'][] = [
  'done',
  'volume',
  'bucket',
  'key',
  'deleted',
  'deleted-many',
  'upload',
  'part',
  'user',
  'access-key',
  'lease',
]
const deleteErrors: readonly Extract<DeletedResult, { error: unknown }>['error'][] = [
  'PreconditionFailed',
  'KeyNotFound',
  'InvalidName',
  'KeyTooLong',
]

export function encodeReply(reply: OmReply): Uint8Array {
  const writer = new ByteWriter(64).u8(version).u8(kinds.indexOf(reply.kind))
  writeBody(writer, reply)
  return writer.finish()
}

export function decodeReply(bytes: Uint8Array): OmReply {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version)
    throw new StoreError('Incompatible', `a reply has version ${found}; this release knows ${version}`)
  return readBody(reader, choice(kinds, reader.u8()))
}

function writeBody(writer: ByteWriter, reply: OmReply): void {
  switch (reply.kind) {
    case 'done':
      return
    case 'volume': {
      const { volume } = reply
      writer.utf8(volume.name).bytes(volumes.encode(volume)).bytes(volumeUsage.encode(volume.usage))
      return
    }
    case 'bucket': {
      const { bucket } = reply
      const usage = { ...bucket.usage, uploads: bucket.uploads, nextDirectory: rootDirectory }
      writer.utf8(bucket.volume).utf8(bucket.name).bytes(buckets.encode(bucket)).bytes(bucketUsage.encode(usage))
      return
    }
    case 'key':
      writer.utf8(reply.etag).varint(reply.modifiedMs).varint(reply.updateId).varint(reply.size)
      return
    case 'deleted':
      writer.bool(reply.existed)
      return
    case 'deleted-many':
      writer.list(reply.results, writeDeleted)
      return
    case 'upload':
      writer.utf8(reply.upload).varint(reply.initiatedMs)
      return
    case 'part':
      writer.utf8(reply.etag).varint(reply.modifiedMs)
      return
    case 'user': {
      const { name, admin, enabled, createdMs } = reply.user
      writer.utf8(name).bool(admin).bool(enabled).varint(createdMs)
      return
    }
    case 'access-key':
      writer.utf8(reply.id)
      return
    case 'lease': {
      const { id, holder, expiresMs, replication, ranges } = reply.lease
      writer.varint(id).utf8(holder).varint(expiresMs).u8(replications.indexOf(replication)).list(ranges, writeRange)
    }
  }
}

function readBody(reader: ByteReader, kind: OmReply['kind']): OmReply {
  switch (kind) {
    case 'done':
      return { kind }
    case 'volume':
      return {
        kind,
        volume: volumeOf(reader.utf8(), volumes.decode(reader.bytes()), volumeUsage.decode(reader.bytes())),
      }
    case 'bucket': {
      const ref = { volume: reader.utf8(), bucket: reader.utf8() }
      return { kind, bucket: bucketOf(ref, buckets.decode(reader.bytes()), bucketUsage.decode(reader.bytes())) }
    }
    case 'key':
      return {
        kind,
        etag: reader.utf8(),
        modifiedMs: reader.varint(),
        updateId: reader.varint(),
        size: reader.varint(),
      }
    case 'deleted':
      return { kind, existed: reader.bool() }
    case 'deleted-many':
      return { kind, results: reader.list(readDeleted) }
    case 'upload':
      return { kind, upload: reader.utf8(), initiatedMs: reader.varint() }
    case 'part':
      return { kind, etag: reader.utf8(), modifiedMs: reader.varint() }
    case 'user':
      return {
        kind,
        user: { name: reader.utf8(), admin: reader.bool(), enabled: reader.bool(), createdMs: reader.varint() },
      }
    case 'access-key':
      return { kind, id: reader.utf8() }
    case 'lease':
      return {
        kind,
        lease: {
          id: reader.varint(),
          holder: reader.utf8(),
          expiresMs: reader.varint(),
          replication: choice(replications, reader.u8()),
          ranges: reader.list(readRange),
        },
      }
  }
}

const absent = 0
const existed = 1
const firstError = 2

// A key that was no well-formed text is answered with what UTF-8 makes of it.
function writeDeleted(writer: ByteWriter, result: DeletedResult): void {
  writer.utf8(result.key)
  if ('error' in result) writer.u8(firstError + deleteErrors.indexOf(result.error))
  else writer.u8(result.existed ? existed : absent)
}

function readDeleted(reader: ByteReader): DeletedResult {
  const key = reader.utf8()
  const outcome = reader.u8()
  if (outcome < firstError) return { key, existed: outcome === existed }
  return { key, error: choice(deleteErrors, outcome - firstError) }
}
