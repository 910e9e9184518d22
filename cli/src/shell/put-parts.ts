/** A large file as an upload in parts: one after another, for a single stream fills the disk of a node. */

import { createHash } from 'node:crypto'
import type { KeyCommit, KeyRef, O3Session, Preconditions, Upload } from '@o3/plugin-native/client'

/** A key put in one piece has at most 5 GiB; 10,000 parts of this size make 9.7 TiB. */
export const partBytes = 1024 ** 3

export interface PartedBody {
  readonly size: number
  /** The bytes from `start` up to `end`. */
  readonly open: (start: number, end: number) => AsyncIterable<Uint8Array>
  readonly attributes: Upload['attributes']
  readonly preconditions: Preconditions
}

/** When anything fails the upload is aborted, and nothing of it stays. The ETag is S3's: `md5-N`. */
export async function putParts(
  { uploads }: O3Session,
  ref: KeyRef,
  { size, open, attributes, preconditions }: PartedBody,
  eachBytes = partBytes,
): Promise<KeyCommit> {
  const upload = await uploads.start(ref, { attributes })
  try {
    const parts: { number: number; etag: string }[] = []
    for (let start = 0; start < size; start += eachBytes) {
      const end = Math.min(start + eachBytes, size)
      const { number, etag } = await uploads.putPart(ref, upload.id, parts.length + 1, open(start, end), {
        size: end - start,
        digests: ['md5'],
        finish: ({ md5 = new Uint8Array(0) }) => ({ etag: Buffer.from(md5).toString('hex') }),
      })
      parts.push({ number, etag })
    }
    return await uploads.complete(ref, upload.id, parts, {
      finish: (stored) => ({ etag: `${md5OfAll(stored)}-${stored.length}` }),
      preconditions,
      minPartBytes: 0,
    })
  } catch (error) {
    // Where this fails too, the first error is the one to tell; `o3 sh bucket info` counts the upload that stays.
    await uploads.abort(ref, upload.id).catch(() => undefined)
    throw error
  }
}

function md5OfAll(parts: readonly { readonly etag: string }[]): string {
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'))
  return hash.digest('hex')
}
