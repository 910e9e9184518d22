import { createHash } from 'node:crypto'
import { isStoreError } from '@o3/common/errors'
import type { KeyCommit, PartInfo, Uploads } from '@o3/protocol-bus/api'
import { partTrailer, seenParts } from '../core/calls.ts'
import type { CompleteRequest, UploadRef, Whole } from '../core/calls.ts'
import { encode } from '../core/codec.ts'
import { checkKeyName } from './key-name.ts'
import { sendBody } from './put.ts'
import type { Wire } from './wire.ts'

export function nativeUploads(wire: Wire): Uploads {
  return {
    start: (ref, options) => wire.ask('uploads.start.1', { ref, ...options }),
    info: (ref, upload) => wire.ask('uploads.info.1', { ...ref, upload }),
    async putPart(ref, upload, number, body, { finish, signal, ...options }) {
      checkKeyName(ref.key)
      const request = { ref: { ...ref, upload }, number, ...options }
      return sendBody(body, {
        ...options,
        clock: wire.clock,
        trailer: partTrailer,
        seal: (digests, size) => ({ digests, part: finish(digests, size) }),
        signal,
        send: (bytes, sealed) => wire.carry('uploads.put-part.1', { ...request, ...sealed }, { body: bytes, signal }),
      })
    },
    copyPart: (ref, upload, number, source, options) =>
      wire.ask('uploads.copy-part.1', { ref: { ...ref, upload }, number, source, ...options }),
    parts: (ref, upload, options) => wire.ask('uploads.parts.1', { ref: { ...ref, upload }, ...options }),
    complete: (ref, upload, parts, { finish, ...options }) =>
      complete(wire, { ref: { ...ref, upload }, parts, ...options }, finish),
    abort: (ref, upload) => wire.ask('uploads.abort.1', { ...ref, upload }),
    list: (ref, options) => wire.ask('uploads.list.1', { ref, ...options }),
  }
}

type Finish = Parameters<Uploads['complete']>[3]['finish']

/** Somebody who puts the same parts again and again while they are joined is told so in the end. */
const maxAttempts = 3

/**
 * `finish` runs here, over the parts as they are listed; the server checks that it joins the same ones. Where they cannot
 * be listed, or are not those that were named, it is for the server to say what that means.
 */
async function complete(wire: Wire, request: Omit<CompleteRequest, 'whole'>, finish: Finish): Promise<KeyCommit> {
  for (let attempt = 1; ; attempt++) {
    const whole = await judge(wire, request, finish)
    try {
      return await wire.ask('uploads.complete.1', whole === undefined ? request : { ...request, whole })
    } catch (error) {
      if (!isStoreError(error, 'ConcurrentChange') || attempt === maxAttempts) throw error
    }
  }
}

async function judge(
  wire: Wire,
  { ref, parts }: Omit<CompleteRequest, 'whole'>,
  finish: Finish,
): Promise<Whole | undefined> {
  const listed = await listParts(wire, ref)
  const selected: PartInfo[] = []
  for (const { number, etag } of parts) {
    const part = listed?.get(number)
    if (part === undefined || part.etag !== etag) return undefined
    selected.push(part)
  }
  const seen = createHash('sha256').update(encode(seenParts, selected)).digest()
  return { seen, ...finish(selected) }
}

/** Undefined: the upload is gone, perhaps because it was completed. */
async function listParts(wire: Wire, ref: UploadRef): Promise<ReadonlyMap<number, PartInfo> | undefined> {
  const parts = new Map<number, PartInfo>()
  try {
    for (let after = 0, more = true; more;) {
      const page = await wire.ask('uploads.parts.1', { ref, after, limit: 1000 })
      for (const part of page.items) parts.set(part.number, part)
      after = page.items.at(-1)?.number ?? after
      more = page.truncated
    }
    return parts
  } catch (error) {
    if (isStoreError(error, 'UploadNotFound')) return undefined
    throw error
  }
}
