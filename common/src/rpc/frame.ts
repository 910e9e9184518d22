/**
 * The wire of O3, version 1. Both sides send a sequence of frames over one ordered byte stream:
 *
 *     u32 header length | u32 body length | u32 call id | u8 kind and flags | header | body
 *
 * Numbers are little-endian, the header is a record of `messages.ts`, the body is raw bytes of a call's stream. A
 * connection begins with `hello` (client), `welcome` (server), `proof` (client), `ready` (server); then come calls.
 *
 * A call is one `call` from the client and one `reply`, or `error`, from the server. Either may carry a body: the flag
 * `hasBody` announces it, its bytes follow in this frame and in `data` frames, `endOfBody` marks the last. A sender has
 * a window for each body, told in `hello` and `welcome`, which the receiver widens with `credit` as its consumer
 * takes bytes: a slow consumer holds up its own call and nothing else. `cancel` ends a call from the client's side.
 * Frames of a call that is over are ignored, because they cross on the way.
 */

export const frameKinds = {
  hello: 0,
  welcome: 1,
  proof: 2,
  ready: 3,
  call: 4,
  reply: 5,
  data: 6,
  credit: 7,
  cancel: 8,
  /** With call id 0 it is about the connection, which then closes. */
  error: 9,
  ping: 10,
  pong: 11,
  /** The server is stopping: it answers what it has and takes no more calls here. */
  goaway: 12,
} as const

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds]

export const hasBody = 0x10
export const endOfBody = 0x20

export const prefixSizeBytes = 13
const kindMask = 0x0f
const flagsMask = hasBody | endOfBody
const highestKind = 12

/** A frame to send. The header may be in pieces; they are joined on the way out. */
export interface OutgoingFrame {
  readonly kind: FrameKind
  readonly flags?: number
  readonly callId: number
  readonly header?: readonly Uint8Array[]
  readonly body?: Uint8Array
}

/** The front of a frame that arrives; its body comes in pieces behind it. */
export interface IncomingFrame {
  readonly kind: FrameKind
  readonly flags: number
  readonly callId: number
  readonly header: Uint8Array
  readonly bodySizeBytes: number
}

export function kindOf(byte: number): FrameKind | undefined {
  const kind = byte & kindMask
  const known = kind <= highestKind && (byte & ~(kindMask | flagsMask)) === 0
  return known ? (kind as FrameKind) : undefined
}

export function flagsOf(byte: number): number {
  return byte & flagsMask
}

/** Writes the first 13 bytes of a frame. */
export function writePrefix(target: Uint8Array, at: number, frame: OutgoingFrame, headerSizeBytes: number): void {
  writeU32(target, at, headerSizeBytes)
  writeU32(target, at + 4, frame.body?.length ?? 0)
  writeU32(target, at + 8, frame.callId)
  target[at + 12] = frame.kind | (frame.flags ?? 0)
}

export function readU32(source: Uint8Array, at: number): number {
  return (
    ((source[at] as number) |
      ((source[at + 1] as number) << 8) |
      ((source[at + 2] as number) << 16) |
      ((source[at + 3] as number) << 24)) >>>
    0
  )
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value
  target[at + 1] = value >>> 8
  target[at + 2] = value >>> 16
  target[at + 3] = value >>> 24
}
