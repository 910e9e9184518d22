import type { ByteSource, Digests, PutOptions } from '@o3/protocol-bus/api'
import { expect } from 'vitest'

/** Bytes that repeat only after 251: a piece out of place is seen. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = i % 251
  return bytes
}

export async function collect(source: ByteSource): Promise<Buffer> {
  if (source instanceof Uint8Array) return Buffer.from(source)
  const pieces: Uint8Array[] = []
  for await (const piece of source) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

/** MD5 as the ETag. */
export const hexEtag: PutOptions = {
  digests: ['md5'],
  finish: ({ md5 }: Digests) => ({
    etag: Buffer.from(md5 ?? []).toString('hex'),
    headers: {},
    metadata: {},
    tags: {},
  }),
  preconditions: {},
}

/** Waits for what must come to be; fails when it does not. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(isSo, { timeout: 10_000, interval: 5, message: what }).toBe(true)
}
