/** The headers of the frames, version 1 of the wire. Errors travel as JSON: they are rare, and their details are open. */

import { ByteReader, ByteWriter } from '../codec/codec.ts'
import { StoreError, storeErrorCodes } from '../errors.ts'
import type { ErrorDetails, ErrorRecord, StoreErrorCode } from '../errors.ts'

export const wireVersion = 1

/** What a side will take from the other. */
export interface Allowance {
  /** Of a header, so of a call's or reply's payload too. */
  readonly maxHeaderBytes: number
  /** Of the body part of one frame. */
  readonly maxBodyBytes: number
  /** Of each body before the first `credit`. */
  readonly windowBytes: number
}

export interface Hello {
  readonly lowestVersion: number
  readonly highestVersion: number
  readonly allowance: Allowance
  readonly credentials: Uint8Array
}

export interface Welcome {
  readonly version: number
  readonly allowance: Allowance
  readonly maxConcurrentCalls: number
  readonly credentials: Uint8Array
}

export interface CallHead {
  readonly method: string
  /** Undefined: none. */
  readonly deadlineMs: number | undefined
  readonly payload: Uint8Array
}

const magic = 0x5052_334f // "O3RP" in the order of the bytes

export function encodeHello(hello: Hello): Uint8Array {
  const writer = new ByteWriter().u32(magic).varint(hello.lowestVersion).varint(hello.highestVersion)
  writeAllowance(writer, hello.allowance)
  return writer.bytes(hello.credentials).finish()
}

/** Throws `Incompatible` for a peer that speaks something else. */
export function decodeHello(header: Uint8Array): Hello {
  const reader = new ByteReader(header)
  if (reader.remaining < 4 || reader.u32() !== magic) throw new StoreError('Incompatible', 'the peer does not speak O3')
  return {
    lowestVersion: reader.varint(),
    highestVersion: reader.varint(),
    allowance: readAllowance(reader),
    credentials: reader.bytes(),
  }
}

export function encodeWelcome(welcome: Welcome): Uint8Array {
  const writer = new ByteWriter().u32(magic).varint(welcome.version)
  writeAllowance(writer, welcome.allowance)
  return writer.varint(welcome.maxConcurrentCalls).bytes(welcome.credentials).finish()
}

export function decodeWelcome(header: Uint8Array): Welcome {
  const reader = new ByteReader(header)
  if (reader.remaining < 4 || reader.u32() !== magic) throw new StoreError('Incompatible', 'the peer does not speak O3')
  return {
    version: reader.varint(),
    allowance: readAllowance(reader),
    maxConcurrentCalls: reader.varint(),
    credentials: reader.bytes(),
  }
}

/** The front of a `call` header; the payload follows as it is. The deadline is how long, because clocks differ. */
export function encodeCallHead(method: string, deadlineMs: number | undefined): Uint8Array {
  // 0 is "none", so what is over already becomes one millisecond.
  const deadline = deadlineMs === undefined ? 0 : Math.max(1, Math.ceil(deadlineMs))
  return new ByteWriter(32).varint(deadline).utf8(method).finish()
}

export function decodeCallHead(header: Uint8Array): CallHead {
  const reader = new ByteReader(header)
  const deadlineMs = reader.varint()
  const method = reader.utf8()
  return { method, deadlineMs: deadlineMs === 0 ? undefined : deadlineMs, payload: reader.raw(reader.remaining) }
}

export function encodeCredit(bytes: number): Uint8Array {
  return new ByteWriter(8).varint(bytes).finish()
}

export function decodeCredit(header: Uint8Array): number {
  return new ByteReader(header).varint()
}

export function encodeError(record: ErrorRecord): Uint8Array {
  return new ByteWriter().utf8(JSON.stringify(record)).finish()
}

/** An error that a newer peer knows and we do not is `Internal`, with its code in the details. */
export function decodeError(header: Uint8Array): StoreError {
  const record = parseRecord(new ByteReader(header).utf8())
  const details = readDetails(record['details'])
  const message = String(record['message'])
  const code = record['code']
  if (isKnownCode(code)) return new StoreError(code, message, { details })
  return new StoreError('Internal', message, { details: { ...details, code: String(code) } })
}

function writeAllowance(writer: ByteWriter, allowance: Allowance): void {
  writer.varint(allowance.maxHeaderBytes).varint(allowance.maxBodyBytes).varint(allowance.windowBytes)
}

function readAllowance(reader: ByteReader): Allowance {
  return { maxHeaderBytes: reader.varint(), maxBodyBytes: reader.varint(), windowBytes: reader.varint() }
}

function parseRecord(json: string): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(json)
    if (typeof record === 'object' && record !== null) return record as Record<string, unknown>
  } catch (cause) {
    throw new StoreError('Damaged', 'an error record is not JSON', { cause })
  }
  throw new StoreError('Damaged', 'an error record is not an object')
}

function readDetails(details: unknown): ErrorDetails {
  if (typeof details !== 'object' || details === null) return {}
  return Object.fromEntries(
    Object.entries(details).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)),
  )
}

const knownCodes: ReadonlySet<unknown> = new Set(storeErrorCodes)

function isKnownCode(code: unknown): code is StoreErrorCode {
  return knownCodes.has(code)
}
