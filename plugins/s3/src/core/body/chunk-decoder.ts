/**
 * The framing of `aws-chunked` (not HTTP's chunked, which Node undoes): a state machine that takes pieces as they come
 * and gives back the bytes of the object as views of them, without a copy.
 *
 *     1000;chunk-signature=<64 digits> CR LF <4,096 bytes> CR LF … 0;chunk-signature=… CR LF
 *     [x-amz-checksum-crc32c:… CR LF [x-amz-trailer-signature:… CR LF]] CR LF
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */

import { S3Error } from '../errors/s3-error.ts'

/** Sees what is decoded, in order. Throws `S3Error` for what it does not believe. */
export interface ChunkObserver {
  /** Some of a chunk, of which `left` bytes are still to come. */
  data(bytes: Uint8Array, left: number): void
  /** After each chunk, the empty last one too. */
  chunkEnd(signature: string | undefined): void
  /** Once, after the last chunk. Names are lower-case, values trimmed. */
  trailers(fields: readonly Trailer[], signature: string | undefined): void
}

export interface Trailer {
  readonly name: string
  readonly value: string
}

export interface ChunkFraming {
  readonly signed: boolean
  readonly trailer: boolean
  /** `x-amz-decoded-content-length`: not a byte more, and not one less. */
  readonly decodedLength: number
}

/** The line before a chunk, and each trailer. */
export const maxLineBytes = 4096
/** A signed chunk is believed only when it ends. Without signatures the decoded length is the bound. */
export const maxSignedChunkBytes = 16 * 1024 * 1024
export const maxTrailers = 16

type State = 'chunk-line' | 'data' | 'data-end' | 'trailer-line' | 'done'

export class ChunkDecoder {
  readonly #framing: ChunkFraming
  readonly #observer: ChunkObserver
  #state: State = 'chunk-line'
  /** The part of a line that came with earlier pieces. */
  #line = ''
  #signature: string | undefined
  #leftInChunk = 0
  #leftInAll: number
  readonly #trailers: Trailer[] = []
  #trailerSignature: string | undefined

  constructor(framing: ChunkFraming, observer: ChunkObserver) {
    this.#framing = framing
    this.#observer = observer
    this.#leftInAll = framing.decodedLength
  }

  /**
   * Appends what `piece` holds of the object to `out`. Throws `IncompleteBody` for broken framing and for too many
   * bytes, `SignatureDoesNotMatch` for a chunk without a signature, and what the observer throws. Not to be used after.
   */
  push(piece: Uint8Array, out: Uint8Array[]): void {
    let at = 0
    while (at < piece.length) {
      if (this.#state === 'data') at = this.#takeData(piece, at, out)
      else if (this.#state === 'done') throw broken('bytes follow its end')
      else at = this.#takeLine(piece, at)
    }
  }

  /** The body is over. Throws `IncompleteBody` when something was missing. */
  end(): void {
    if (this.#state !== 'done') throw broken('it ends too early')
  }

  #takeData(piece: Uint8Array, at: number, out: Uint8Array[]): number {
    const end = Math.min(piece.length, at + this.#leftInChunk)
    const bytes = at === 0 && end === piece.length ? piece : piece.subarray(at, end)
    this.#leftInChunk -= bytes.length
    this.#observer.data(bytes, this.#leftInChunk)
    out.push(bytes)
    if (this.#leftInChunk === 0) this.#state = 'data-end'
    return end
  }

  /** A line is text up to LF, and ends with CR LF. */
  #takeLine(piece: Uint8Array, at: number): number {
    const feed = piece.indexOf(lineFeed, at)
    const end = feed < 0 ? piece.length : feed
    if (this.#line.length + end - at > maxLineBytes) throw broken('a line of it is longer than 4,096 bytes')
    this.#line += ascii(piece, at, end)
    if (feed < 0) return end
    const line = this.#line
    this.#line = ''
    this.#lineEnd(line)
    return end + 1
  }

  #lineEnd(line: string): void {
    if (!line.endsWith('\r')) throw broken('a line of it does not end with CR LF')
    const text = line.slice(0, -1)
    if (this.#state === 'chunk-line') this.#startChunk(text)
    else if (this.#state === 'trailer-line') this.#addTrailer(text)
    else this.#endData(text)
  }

  #startChunk(line: string): void {
    const { size, signature } = parseChunkLine(line, this.#framing.signed)
    if (size > this.#leftInAll) throw broken('it holds more bytes than x-amz-decoded-content-length says')
    if (this.#framing.signed && size > maxSignedChunkBytes) throw broken('a signed chunk is larger than 16 MiB')
    this.#signature = signature
    this.#leftInAll -= size
    this.#leftInChunk = size
    if (size > 0) {
      this.#state = 'data'
      return
    }
    if (this.#leftInAll > 0) throw broken('it holds fewer bytes than x-amz-decoded-content-length says')
    this.#observer.chunkEnd(signature)
    this.#state = 'trailer-line'
  }

  #endData(line: string): void {
    if (line !== '') throw broken('a chunk is longer than its size')
    this.#observer.chunkEnd(this.#signature)
    this.#state = 'chunk-line'
  }

  #addTrailer(line: string): void {
    if (line === '') {
      this.#observer.trailers(this.#trailers, this.#trailerSignature)
      this.#state = 'done'
      return
    }
    if (!this.#framing.trailer) throw new S3Error('MalformedTrailerError')
    const colon = line.indexOf(':')
    if (colon <= 0 || this.#trailerSignature !== undefined) throw new S3Error('MalformedTrailerError')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === 'x-amz-trailer-signature') {
      this.#trailerSignature = value
      return
    }
    if (this.#trailers.length === maxTrailers || this.#trailers.some((trailer) => trailer.name === name)) {
      throw new S3Error('MalformedTrailerError')
    }
    this.#trailers.push({ name, value })
  }
}

const lineFeed = 0x0a

const chunkLine = /^([0-9A-Fa-f]{1,13})(?:;chunk-signature=([0-9a-f]{64}))?$/

function parseChunkLine(line: string, signed: boolean): { size: number; signature: string | undefined } {
  const match = chunkLine.exec(line)
  if (match === null) throw broken('a chunk does not start with its size')
  const signature = match[2]
  if (signed && signature === undefined) throw new S3Error('SignatureDoesNotMatch')
  if (!signed && signature !== undefined) throw broken('a chunk is signed, but was announced not to be')
  return { size: Number.parseInt(match[1] as string, 16), signature }
}

function broken(what: string): S3Error {
  return new S3Error('IncompleteBody', { message: `The aws-chunked body is not well-formed: ${what}.` })
}

/** A line is some dozens of bytes. */
function ascii(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i] as number)
  return text
}
