/** Bodies that are not what their heads say, in every way that S3 has of saying it. */

import { chunkedKinds, encodeChunked } from '../harness/aws-chunked.ts'
import type { ChunkedKind, ChunkedUpload } from '../harness/aws-chunked.ts'
import { encode, head, put, send } from '../harness/requests.ts'
import type { Server } from '../harness/server.ts'
import type { Header } from '../harness/sigv4.ts'
import { sha256 } from '../harness/sigv4.ts'
import { patterned } from '../harness/tree.ts'
import { ConnectionEnded, Wire } from '../harness/wire.ts'
import type { Answer } from '../harness/wire.ts'
import type { Stage } from './bad-documents.ts'
import type { Attack } from './bad-input.ts'

/** One rides in the commit of its name, one is a block, and one comes in several pieces. */
const sizes = [100, 70_000, 700_000]
const flipsPerKind = 24

export function badBodies(server: Server, { bucket, upload }: Stage): readonly Attack[] {
  const target = `/${bucket}/never`
  const part = `/${bucket}/${upload.key}?partNumber=2&uploadId=${upload.id}`
  return [
    ...sizes.flatMap((size) => brokenPromises(server, target, patterned(size, 1))),
    ...brokenPromises(server, part, patterned(sizes[1]!, 2)),
    ...wrongLengths(server, target),
    ...sizes.flatMap((size) => chunkedKinds.flatMap((kind) => brokenChunks(server, target, kind, size))),
    ...tooMuch(server, bucket),
  ]
}

function brokenPromises(server: Server, target: string, body: Buffer): readonly Attack[] {
  const of = `${target.includes('?') ? 'part of ' : ''}${body.length} bytes`
  const with1 = (name: string, header: Header, verdict: string): Attack => ({
    name: `${of}: ${name}`,
    verdict,
    act: () => put(server, target, body, [header]),
  })
  return [
    with1('another Content-MD5', ['content-md5', '1B2M2Y8AsgTpgAmY7PhCfg=='], '400 BadDigest'),
    with1('a Content-MD5 that is none', ['content-md5', 'never'], '400 InvalidDigest'),
    ...checksumsOfNothing.map(([name, value]) => with1(`another ${name}`, [name, value], '400 BadDigest')),
    ...checksumsOfNothing.map(([name]) => with1(`a ${name} that is none`, [name, 'AA='], '400 InvalidRequest')),
    {
      name: `${of}: two checksums`,
      verdict: '400 InvalidRequest',
      act: () => put(server, target, body, checksumsOfNothing.slice(0, 2)),
    },
    {
      name: `${of}: another x-amz-content-sha256`,
      verdict: '400 XAmzContentSHA256Mismatch',
      act: () => send(server, { method: 'PUT', target, body, payload: sha256('other') }),
    },
    {
      name: `${of}: an x-amz-content-sha256 that is none`,
      verdict: '400 InvalidArgument',
      act: () => send(server, { method: 'PUT', target, body, payload: 'UNSIGNED' }),
    },
    {
      name: `${of}: cut short`,
      verdict: '400 IncompleteBody|cut',
      act: () => sendAndFinish(server, encode(server, { method: 'PUT', target, body, length: body.length + 1 })),
    },
  ]
}

const checksumsOfNothing: readonly Header[] = [
  ['x-amz-checksum-crc32', 'AAAAAA=='],
  ['x-amz-checksum-crc32c', 'AAAAAA=='],
  ['x-amz-checksum-crc64nvme', 'AAAAAAAAAAA='],
  ['x-amz-checksum-sha1', '2jmj7l5rSw0yVb/vlWAYkK/YBwk='],
  ['x-amz-checksum-sha256', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
]

function wrongLengths(server: Server, target: string): readonly Attack[] {
  const with1 = (length: string, verdict: string): Attack => ({
    name: `Content-Length: ${length}`,
    verdict,
    act: () => sendAndFinish(server, encode(server, { method: 'PUT', target, body: 'x', length })),
  })
  return [
    {
      name: 'neither a length nor a coding',
      verdict: '411 MissingContentLength',
      act: () => send(server, { method: 'PUT', target }),
    },
    with1(String(5 * 1024 ** 3 + 1), '400 EntityTooLarge'),
    with1('9007199254740993', '400 InvalidRequest|400 EntityTooLarge'),
    ...['9223372036854775808', '18446744073709551617', '-1', '+1', '0x1', '1e0', '1, 1', '1 1', ''].map((length) =>
      with1(length, '400 InvalidRequest'),
    ),
    {
      name: 'Content-Length twice',
      verdict: '400 InvalidRequest',
      act: () => send(server, { method: 'PUT', target, body: 'x', unsigned: [['content-length', '1']] }),
    },
    {
      name: 'HTTP chunks that break off',
      verdict: '400 IncompleteBody|cut',
      act: () => sendAndFinish(server, plainChunks(server, target, '5\r\nhello\r\n')),
    },
    ...['5\r\nhello world\r\n0\r\n\r\n', '-5\r\nhello\r\n0\r\n\r\n', '5\nhello\n0\n\n', 'ffffffffffffffffff\r\n'].map(
      (text): Attack => ({
        name: `HTTP chunks that are none: ${JSON.stringify(text)}`,
        verdict: '400 IncompleteBody|400 InvalidRequest',
        act: () => sendBytes(server, [plainChunks(server, target, text)]),
      }),
    ),
  ]
}

/** A head that says that HTTP's own chunks follow it, and what follows it. */
function plainChunks(server: Server, target: string, text: string): Buffer {
  const { text: upTo } = head(server, {
    method: 'PUT',
    target,
    payload: 'UNSIGNED-PAYLOAD',
    unsigned: [['transfer-encoding', 'chunked']],
  })
  return Buffer.from(upTo + text, 'latin1')
}

/** What was announced will not come any more. Whoever ends so has mostly gone: it may be told, or be cut off. */
async function sendAndFinish(server: Server, bytes: Buffer): Promise<Answer | undefined> {
  const wire = await Wire.open(server)
  try {
    await wire.write(bytes)
    wire.finish()
    return await wire.answer()
  } catch (error) {
    if (error instanceof ConnectionEnded) return undefined
    throw error
  } finally {
    wire.destroy()
  }
}

function brokenChunks(server: Server, target: string, kind: ChunkedKind, size: number): readonly Attack[] {
  const body = patterned(size, size)
  const upload: ChunkedUpload = { kind, target, body, chunkBytes: Math.ceil(size / 4) }
  const rearranged = (name: string, verdict: string, changes: Partial<ChunkedUpload>): Attack => ({
    name: `aws-chunked, ${kind.name}, ${size} bytes: ${name}`,
    verdict,
    act: () => sendChunked(server, { ...upload, ...changes }),
  })
  const forged = kind.signed ? '403 SignatureDoesNotMatch' : '400 IncompleteBody'
  const digest = kind.signed ? '403 SignatureDoesNotMatch' : '400 BadDigest'
  return [
    rearranged('announced longer', '400 IncompleteBody', { decodedLength: size + 1 }),
    rearranged('announced shorter', '400 IncompleteBody', { decodedLength: size - 1 }),
    rearranged('announced as 1e9', '400 InvalidRequest|400 InvalidArgument', { decodedLength: '1e9' }),
    rearranged('without its last chunk', '400 IncompleteBody', { arrange: (pieces) => pieces.slice(0, -1) }),
    rearranged('a chunk is missing', `400 IncompleteBody|${forged}`, { arrange: ([, ...rest]) => rest }),
    rearranged('two chunks change places', digest, { arrange: ([a, b, ...rest]) => [b!, a!, ...rest] }),
    rearranged('a chunk comes twice', `400 IncompleteBody|${forged}`, { arrange: (all) => [all[0]!, ...all] }),
    rearranged('more follows its end', '400 IncompleteBody', { arrange: (all) => [...all, Buffer.from('more')] }),
    rearranged('an endless line', '400 IncompleteBody', { arrange: (all) => [Buffer.alloc(8192, 0x30), ...all] }),
    {
      name: `aws-chunked, ${kind.name}, ${size} bytes: any bit flipped (${flipsPerKind} places)`,
      verdict: 'any 4xx',
      act: () => flipAround(server, upload),
    },
  ]
}

/** A flipped bit in the framing, a signature, the data or a trailer; the answer to the last one, or to one that was believed. */
async function flipAround(server: Server, upload: ChunkedUpload): Promise<Answer> {
  let answer: Answer | undefined
  for (let i = 0; i < flipsPerKind; i++) {
    const { head, body } = encodeChunked(server, upload)
    const near = i % 3
    // The first line, the trailers, and anywhere.
    const spread = near === 0 ? Math.min(80, body.length) : near === 1 ? Math.min(160, body.length) : body.length
    const offset = Math.floor((spread * (i + 1)) / (flipsPerKind + 1))
    const at = near === 1 ? body.length - 1 - offset : offset
    body[at] = body[at]! ^ 1
    answer = await sendBytes(server, [head, body])
    if (answer.status < 400) throw new Error(`a flipped bit at ${at} of ${body.length} was answered ${answer.status}`)
  }
  return answer!
}

async function sendChunked(server: Server, upload: ChunkedUpload): Promise<Answer> {
  const { head, body } = encodeChunked(server, upload)
  return sendBytes(server, [head, body])
}

async function sendBytes(server: Server, pieces: readonly Buffer[]): Promise<Answer> {
  const wire = await Wire.open(server)
  try {
    for (const piece of pieces) void wire.write(piece)
    return await wire.answer()
  } finally {
    wire.destroy()
  }
}

function tooMuch(server: Server, bucket: string): readonly Attack[] {
  const target = `/${bucket}/never`
  const with1 = (name: string, header: Header, verdict: string): Attack => ({
    name,
    verdict,
    act: () => put(server, target, 'x', [header]),
  })
  return [
    with1('2,049 bytes of metadata', ['x-amz-meta-a', 'x'.repeat(2048)], '400 MetadataTooLarge'),
    with1('11 tags', ['x-amz-tagging', Array.from({ length: 11 }, (_, i) => `t${i}=v`).join('&')], '400 InvalidTag'),
    with1('tags that are none', ['x-amz-tagging', '%zz=1'], '400 InvalidTag|400 InvalidArgument'),
    {
      name: 'a key of 1,025 bytes',
      verdict: '400 KeyTooLongError',
      act: () => put(server, `/${bucket}/${'k'.repeat(1025)}`, 'x'),
    },
  ]
}
