/** OM's interface on the wire: a method for each of its doors, and the compiler sees to it that none is missing. */

import type { Fenced, Method } from '@o3/common/rpc'
import { count, integer, listOf, nothing, optional, pageOf, record, text } from '@o3/common/codec/record'
import type { Page } from '@o3/common/codec/record'
import type { ListKeysQuery, ListUploadsQuery, OmClient, OmCommand, Part } from '../api/api.ts'
import * as commands from './commands.ts'
import { lookupAnswer, lookupRequest } from './lookup.ts'
import * as r from './records.ts'

/** Also those that only a remote OM has. */
type Doors = Required<OmClient>
type QueryOf<Door extends keyof Doors> = Parameters<Doors[Door]>[0]
type AnswerOf<Door extends keyof Doors> = Awaited<ReturnType<Doors[Door]>>
type UploadQuery<Rest> = r.UploadRef & Rest

export interface ExecuteRequest extends Fenced {
  /** Always there: the client draws one, so that its repetitions are the same request. */
  readonly requestId: string
  readonly command: OmCommand
}

export type LeaseRequest = QueryOf<'leaseBlocks'> & Fenced & { readonly requestId: string }

const after = text
/** Signed: OM says what is wrong with it. */
const limit = integer
const small = { repeat: 'whenever', fence: 'none' } as const
/** It carries its id, so it may be repeated, and a term, so that no copy is carried out after the answer. */
const change = { repeat: 'whenever', fence: 'term' } as const
/** Walks over much: who cuts it off early only makes it begin again. */
const list = { repeat: 'whenever', fence: 'none', tryMs: 10_000 } as const
/** Walks over everything. */
const census = { repeat: 'whenever', fence: 'none', tryMs: 600_000, deadlineMs: 600_000 } as const

/** What differs from the interface: ids of requests, and what one answer may not hold is asked for in pieces. */
interface Reshaped {
  readonly execute: Method<ExecuteRequest, AnswerOf<'execute'>>
  readonly leaseBlocks: Method<LeaseRequest, AnswerOf<'leaseBlocks'>>
  /** Ascending; truncated: ask for the higher numbers. */
  readonly getParts: Method<QueryOf<'getParts'>, Page<Part>>
  /** Truncated: there are more differences than an answer holds. */
  readonly audit: Method<void, Page<string>>
}

type MethodOf<Door extends keyof Doors> = Door extends keyof Reshaped
  ? Reshaped[Door]
  : Method<QueryOf<Door>, AnswerOf<Door>>

export const omMethods = {
  'om.execute.1': {
    request: record<ExecuteRequest>({ requestId: text, term: count, command: commands.command }),
    reply: commands.reply,
    ...change,
  },

  'om.getVolume.1': { request: text, reply: r.volume, ...small },
  'om.listVolumes.1': {
    request: record<QueryOf<'listVolumes'>>({ after, prefix: text, limit }),
    reply: pageOf(r.volume),
    ...list,
  },
  'om.getBucket.1': { request: r.bucketRef, reply: r.bucket, ...small },
  'om.listBuckets.1': {
    request: record<QueryOf<'listBuckets'>>({ volume: text, after, prefix: text, limit }),
    reply: pageOf(r.bucket),
    ...list,
  },

  'om.getKey.1': { request: r.keyRef, reply: r.key, ...small },
  'om.listKeys.1': {
    request: record<ListKeysQuery>({ volume: text, bucket: text, prefix: text, delimiter: text, after, limit }),
    reply: pageOf(r.listedEntry),
    ...list,
  },

  'om.getUpload.1': { request: record<r.UploadRef>(r.uploadRef), reply: r.upload, ...small },
  'om.listUploads.1': {
    request: record<ListUploadsQuery>({
      volume: text,
      bucket: text,
      prefix: text,
      delimiter: text,
      keyMarker: text,
      uploadIdMarker: text,
      limit,
    }),
    reply: pageOf(r.listedUpload),
    ...list,
  },
  'om.listParts.1': {
    request: record<UploadQuery<{ readonly after: number; readonly limit: number }>>({
      ...r.uploadRef,
      after: count,
      limit,
    }),
    reply: pageOf(r.part),
    ...list,
  },
  'om.getParts.1': {
    request: record<UploadQuery<{ readonly numbers: readonly number[] }>>({ ...r.uploadRef, numbers: listOf(count) }),
    reply: pageOf(r.part),
    ...list,
  },

  'om.getUser.1': { request: text, reply: r.user, ...small },
  'om.listUsers.1': { request: record<QueryOf<'listUsers'>>({ after, limit }), reply: pageOf(r.user), ...list },
  'om.getAccessKey.1': { request: text, reply: r.accessKey, ...small },
  'om.listAccessKeys.1': {
    request: record<QueryOf<'listAccessKeys'>>({ user: optional(text), after, limit }),
    reply: pageOf(r.accessKey),
    ...list,
  },

  'om.leaseBlocks.1': {
    request: record<LeaseRequest>({
      holder: text,
      count: integer,
      replication: r.replication,
      requestId: text,
      term: count,
    }),
    reply: r.lease,
    ...change,
  },
  'om.lookup.1': { request: lookupRequest, reply: lookupAnswer, ...small },
  'om.audit.1': { request: nothing, reply: pageOf(text), ...census },
} as const satisfies { readonly [Door in keyof Doors as `om.${Door}.1`]: MethodOf<Door> }

export type OmMethods = typeof omMethods
