/** Takes one step of a program on any store, and says what it answered in words that two stores can have in common. */

import { createHash } from 'node:crypto'
import { isStoreError } from '@o3/common/errors'
import type {
  KeyRef,
  O3Session,
  O3Store,
  PartInfo,
  PartPutOptions,
  Preconditions,
  PutOptions,
} from '@o3/protocol-bus/api'
import type { BodySpec, Caller, ConditionSpec, EtagSpec, Step } from './program.ts'

/** One store under a program: the uploads that it started, in order. */
export interface Subject {
  readonly store: O3Store
  readonly volume: string
  /** Undefined: nobody heard its id. */
  readonly uploads: { readonly id: string | undefined; readonly key: string; readonly bucket: string }[]
}

export type Outcome = { readonly answer: unknown } | { readonly refused: string }

const principals = {
  admin: { user: 'admin', admin: true },
  owner: { user: 'owner', admin: false },
  stranger: { user: 'stranger', admin: false },
} as const satisfies Record<Caller, unknown>

const bucketNames = ['one', 'two'] as const

/** The volume of a program, owned by one of its callers, with its buckets. */
export async function prepare({ store, volume }: Subject): Promise<void> {
  const session = store.session(principals.admin)
  await session.volumes.create(volume, { owner: 'owner' })
  for (const bucket of bucketNames) await session.buckets.create({ volume, bucket })
}

export async function takeStep(subject: Subject, step: Step): Promise<Outcome> {
  try {
    return { answer: comparable(await act(subject, step)) }
  } catch (error) {
    if (isStoreError(error)) return { refused: error.code }
    throw error
  }
}

function act(subject: Subject, step: Step): Promise<unknown> {
  const session = subject.store.session(principals[step.by])
  const ref = { volume: subject.volume, bucket: step.bucket }
  const at = (key: string): KeyRef => ({ ...ref, key })
  switch (step.kind) {
    case 'put':
      return session.keys.put(at(step.key), bodyOf(step), putOptions(step))
    case 'get':
      return get(session, at(step.key), step)
    case 'delete':
      return session.keys.delete(at(step.key), {
        preconditions: preconditions(step.conditions),
        ...(step.requestId === undefined ? {} : { requestId: step.requestId }),
      })
    case 'delete-many': {
      const ifMatch = step.ifMatch === undefined ? {} : { ifMatch: etagsOf(step.ifMatch)[0] as string }
      return session.keys.deleteMany(
        ref,
        step.keys.map((key) => ({ key, ...ifMatch })),
      )
    }
    case 'copy':
      return session.keys.copy(at(step.key), at(step.to), {
        preconditions: preconditions(step.conditions),
        ...(step.replace ? { attributes: { metadata: { replaced: 'yes' }, headers: {}, tags: {} } } : {}),
        ...(step.checksum ? { checksum: 'crc32' } : {}),
      })
    case 'rename':
      return session.keys.rename(at(step.key), step.to, { replace: step.replace })
    case 'tag':
      return session.keys.setTags(at(step.key), step.tags)
    case 'list':
      return session.keys.list(ref, step)
    case 'create-bucket':
      return session.buckets.create(ref)
    case 'delete-bucket':
      return session.buckets.delete(ref)
    case 'quota':
      return session.buckets.update(ref, { quota: step.quota })
    case 'list-uploads':
      return session.uploads.list(ref, step)
    case 'start-upload':
      return startUpload(subject, session, at(step.key))
    case 'put-part':
    case 'copy-part':
    case 'complete':
    case 'abort-upload':
    case 'list-parts':
      return onUpload(subject, session, step)
    case 'wait':
      return Promise.resolve()
  }
}

async function get(session: O3Session, ref: KeyRef, step: Extract<Step, { kind: 'get' }>): Promise<unknown> {
  const { body, ...result } = await session.keys.get(ref, {
    conditions: preconditions(step.conditions),
    ...(step.range === undefined ? {} : { range: step.range }),
  })
  return { ...result, bytes: await digestOfBody(body.bytes) }
}

async function startUpload(subject: Subject, session: O3Session, ref: KeyRef): Promise<unknown> {
  const attributes = { headers: {}, metadata: { from: 'upload' }, tags: {} }
  const entry = { id: undefined as string | undefined, key: ref.key, bucket: ref.bucket }
  const upload = await session.uploads.start(ref, { attributes })
  entry.id = upload.id
  subject.uploads.push(entry)
  return upload
}

type UploadStep = Extract<Step, { kind: 'put-part' | 'copy-part' | 'complete' | 'abort-upload' | 'list-parts' }>

async function onUpload(subject: Subject, session: O3Session, step: UploadStep): Promise<unknown> {
  const upload = subject.uploads.at(-1 - step.upload)
  if (upload?.id === undefined) return 'no such upload in this program'
  const { id } = upload
  const ref = { volume: subject.volume, bucket: upload.bucket, key: upload.key }
  switch (step.kind) {
    case 'put-part':
      return session.uploads.putPart(ref, id, step.number, bytesOf(step.body), partOptions(step.body))
    case 'copy-part': {
      const source = { ...ref, bucket: step.bucket, key: step.key }
      return session.uploads.copyPart(
        ref,
        id,
        step.number,
        source,
        step.range === undefined ? {} : { range: step.range },
      )
    }
    case 'complete':
      return complete(session, ref, id, step)
    case 'abort-upload':
      return session.uploads.abort(ref, id)
    case 'list-parts':
      return session.uploads.parts(ref, id, step)
  }
}

async function complete(
  session: O3Session,
  ref: KeyRef,
  id: string,
  step: Extract<Step, { kind: 'complete' }>,
): Promise<unknown> {
  const stored = await session.uploads.parts(ref, id, { limit: 10 }).catch(() => ({ items: [] as PartInfo[] }))
  const etags = new Map(stored.items.map(({ number, etag }) => [number, etag]))
  const numbers = step.numbers ?? stored.items.map(({ number }) => number)
  const named = numbers.map((number) => ({ number, etag: etags.get(number) ?? 'none' }))
  return session.uploads.complete(ref, id, named, {
    finish: (parts) => ({
      etag: `${createHash('md5')
        .update(JSON.stringify(parts.map(({ etag }) => etag)))
        .digest('hex')}-${parts.length}`,
    }),
    preconditions: preconditions(step.conditions),
    minPartBytes: 10,
  })
}

// ------------------------------------------------------------------------------------------------------ bodies

const bodies = new Map<string, Uint8Array>()

function bytesOf({ size, seed }: BodySpec): Uint8Array {
  const name = `${size}/${seed}`
  const known = bodies.get(name) ?? Uint8Array.from({ length: size }, (_, i) => (i * 7 + seed * 31) % 251)
  bodies.set(name, known)
  return known
}

function bodyOf(step: Extract<Step, { kind: 'put' }>): Uint8Array | AsyncIterable<Uint8Array> {
  const bytes = bytesOf(step.body)
  return step.whole ? bytes : inPieces(bytes)
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 9_000) yield bytes.subarray(at, at + 9_000)
}

function putOptions({ body, conditions, requestId }: Extract<Step, { kind: 'put' }>): PutOptions {
  return {
    size: body.size,
    digests: ['md5'],
    finish: ({ md5 }) => ({ etag: hex(md5), headers: {}, metadata: {}, tags: {} }),
    preconditions: preconditions(conditions),
    ...(requestId === undefined ? {} : { requestId }),
  }
}

function partOptions({ size }: BodySpec): PartPutOptions {
  return { size, digests: ['md5'], finish: ({ md5 }) => ({ etag: hex(md5) }) }
}

function preconditions({ ifMatch, ifNoneMatch }: ConditionSpec): Preconditions {
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: ifMatch === '*' ? '*' : etagsOf(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: ifNoneMatch === '*' ? '*' : etagsOf(ifNoneMatch) }),
  }
}

function etagsOf(spec: EtagSpec): readonly string[] {
  if (spec === '*' || spec === 'unknown') return [spec]
  return [createHash('md5').update(bytesOf(spec)).digest('hex')]
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? new Uint8Array(0)).toString('hex')
}

async function digestOfBody(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('md5')
  let size = 0
  const iterator = bytes instanceof Uint8Array ? inPieces(bytes) : bytes
  for await (const piece of iterator) {
    hash.update(piece)
    size += piece.length
  }
  return `${size} bytes, md5 ${hash.digest('hex')}`
}

// -------------------------------------------------------------------------------------------------- comparison

/** What two stores that do the same may still differ in: when, and how they number. */
const ownNumbers = new Set(['updateId', 'modifiedMs', 'createdMs', 'initiatedMs', 'id'])

function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, field]) => !ownNumbers.has(name) && field !== undefined)
  return Object.fromEntries(entries.map(([name, field]) => [name, comparable(field)]).toSorted(byName))
}

function byName([a]: unknown[], [b]: unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}

/** All that there is to be seen of a program's volume, bytes included. */
export async function snapshot({ store, volume }: Subject): Promise<unknown> {
  const session = store.session(principals.admin)
  const seen: unknown[] = [comparable(await session.volumes.info(volume))]
  const buckets = await session.buckets.list(volume, { limit: 100 })
  for (const bucket of buckets.items) {
    const ref = { volume, bucket: bucket.name }
    seen.push(comparable(bucket))
    const keys = await session.keys.list(ref, { limit: 1000 })
    for (const entry of keys.items) {
      if (entry.kind === 'prefix') continue
      const { body, info } = await session.keys.get({ ...ref, key: entry.key.name })
      seen.push([comparable(info), comparable(entry.key), await digestOfBody(body.bytes)])
    }
    const uploads = await session.uploads.list(ref, { limit: 1000 })
    for (const entry of uploads.items) {
      if (entry.kind === 'prefix') continue
      const parts = await session.uploads.parts({ ...ref, key: entry.upload.key }, entry.upload.id, { limit: 100 })
      seen.push([comparable(entry.upload), comparable(parts)])
    }
  }
  return seen
}
