/** Every command of OM as it crosses the wire. A kind is sent as its place in the list: new ones go to the end. */

import {
  count,
  flag,
  integer,
  listOf,
  mapOf,
  nullable,
  oneOf,
  optional,
  orUndefined,
  ownBytes,
  record,
  text,
} from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import type { OmCommand, OmReply } from '../api/api.ts'
import { decodeReply, encodeReply } from '../core/reply.ts'
import * as r from './records.ts'

type CommandOf<Kind extends OmCommand['kind']> = Omit<Extract<OmCommand, { readonly kind: Kind }>, 'kind'>

const volume = { volume: text }
const bucket = { ...volume, bucket: text }
const key = { ...bucket, key: text }
const upload = { ...key, upload: text }

/** Numbers are signed where a caller may be wrong: OM says what is wrong with them. */
export const command = oneOf<OmCommand>({
  'create-volume': record<CommandOf<'create-volume'>>({ ...volume, owner: text, quota: r.quota }),
  'update-volume': record<CommandOf<'update-volume'>>({
    ...volume,
    owner: optional(text),
    quota: optional(r.quota),
    members: optional(mapOf(nullable(r.volumeRight))),
    metadata: optional(r.texts),
  }),
  'delete-volume': record<CommandOf<'delete-volume'>>(volume),

  'create-bucket': record<CommandOf<'create-bucket'>>({
    ...bucket,
    owner: text,
    quota: r.quota,
    replication: r.replication,
    tags: optional(r.texts),
    metadata: optional(r.texts),
  }),
  'update-bucket': record<CommandOf<'update-bucket'>>({
    ...bucket,
    owner: optional(text),
    quota: optional(r.quota),
    members: optional(mapOf(nullable(r.bucketRight))),
    tags: optional(r.texts),
    metadata: optional(r.texts),
  }),
  'delete-bucket': record<CommandOf<'delete-bucket'>>(bucket),

  'commit-key': record<CommandOf<'commit-key'>>({
    ...key,
    owner: text,
    size: integer,
    content: r.newContent,
    attributes: r.attributes,
    preconditions: r.preconditions,
  }),
  'delete-key': record<CommandOf<'delete-key'>>({ ...key, preconditions: r.preconditions }),
  'delete-keys': record<CommandOf<'delete-keys'>>({
    ...bucket,
    keys: listOf(record<CommandOf<'delete-keys'>['keys'][number]>({ key: text, ifMatch: optional(text) })),
  }),
  'set-key-tags': record<CommandOf<'set-key-tags'>>({ ...key, tags: r.texts }),
  'rename-key': record<CommandOf<'rename-key'>>({ ...key, to: text, replace: flag }),

  'create-upload': record<CommandOf<'create-upload'>>({
    ...key,
    owner: text,
    attributes: r.uploadAttributes,
    checksum: optional(r.checksumKind),
  }),
  'commit-part': record<CommandOf<'commit-part'>>({
    ...upload,
    number: integer,
    size: integer,
    etag: text,
    checksum: optional(r.checksum),
    content: r.newContent,
  }),
  'complete-upload': record<CommandOf<'complete-upload'>>({
    ...upload,
    parts: listOf(
      record<CommandOf<'complete-upload'>['parts'][number]>({ number: integer, etag: text, checksum: optional(text) }),
    ),
    etag: text,
    checksum: optional(r.checksum),
    preconditions: r.preconditions,
    minPartBytes: integer,
  }),
  'abort-upload': record<CommandOf<'abort-upload'>>(upload),

  'create-user': record<CommandOf<'create-user'>>({ user: text, admin: flag }),
  'update-user': record<CommandOf<'update-user'>>({ user: text, admin: optional(flag), enabled: optional(flag) }),
  'delete-user': record<CommandOf<'delete-user'>>({ user: text }),
  'create-access-key': record<CommandOf<'create-access-key'>>({ id: text, user: text, sealedSecret: ownBytes }),
  'update-access-key': record<CommandOf<'update-access-key'>>({ id: text, enabled: flag }),
  'delete-access-key': record<CommandOf<'delete-access-key'>>({ id: text }),

  'grant-lease': record<CommandOf<'grant-lease'>>({
    holder: text,
    durationMs: integer,
    replication: r.replication,
    ranges: listOf(r.blockRange),
  }),
  'renew-lease': record<CommandOf<'renew-lease'>>({ lease: integer, durationMs: integer }),
  'end-lease': record<CommandOf<'end-lease'>>({ lease: integer }),
  'purge-deleted-blocks': record<CommandOf<'purge-deleted-blocks'>>({ through: count }),
})

const tokens = orUndefined(listOf(ownBytes))

/** As OM remembers it for a repeated request, and with what it does not remember: the tokens of a lease. */
export const reply: Codec<OmReply> = {
  write(writer, value) {
    writer.bytes(encodeReply(value))
    tokens.write(writer, value.kind === 'lease' ? value.lease.tokens : undefined)
  },
  read(reader) {
    const value = decodeReply(reader.bytes())
    const brought = tokens.read(reader)
    return value.kind === 'lease' && brought !== undefined
      ? { ...value, lease: { ...value.lease, tokens: brought } }
      : value
  },
}
