/**
 * How payloads are put together. A codec is both ways of one type, so that they cannot drift apart; `record` demands a
 * field for each property of its type, so that a property that is added to an interface and forgotten on its wire does
 * not compile. The order of the fields is the order on the wire.
 */

import { ByteReader, ByteWriter } from './codec.ts'
import { StoreError } from '../errors.ts'

/** Both ways of one type. `read` throws `Damaged` or `InvalidArgument` for what `write` cannot have written. */
export interface Codec<T> {
  // A property and not a method, so that the compiler refuses a codec of less than what may come.
  readonly write: (writer: ByteWriter, value: T) => void
  readonly read: (reader: ByteReader) => T
}

/** A property that may be absent. */
export interface OptionalCodec<T> {
  readonly optional: Codec<T>
}

/** A codec for each property: an optional one where the property is. */
export type Fields<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? OptionalCodec<Exclude<T[K], undefined>> : Codec<T[K]>
}

interface Field {
  readonly name: string
  readonly isOptional: boolean
  readonly codec: Codec<unknown>
}

/** An object, field by field. A property that is optional and absent is absent on the other side too. */
export function record<T extends object>(fields: Fields<T>): Codec<T> {
  const list = Object.entries(fields).map(([name, field]): Field => {
    const given = field as Codec<unknown> | OptionalCodec<unknown>
    return 'optional' in given
      ? { name, isOptional: true, codec: given.optional }
      : { name, isOptional: false, codec: given }
  })
  return {
    write(writer, value) {
      for (const { name, isOptional, codec } of list) {
        const property = (value as Record<string, unknown>)[name]
        if (isOptional) writer.bool(property !== undefined)
        if (!isOptional || property !== undefined) codec.write(writer, property)
      }
    },
    read(reader) {
      const value: Record<string, unknown> = {}
      for (const { name, isOptional, codec } of list) {
        if (!isOptional || reader.bool()) value[name] = codec.read(reader)
      }
      return value as T
    },
  }
}

/** For a field of `record` that may be absent. */
export function optional<T>(codec: Codec<T>): OptionalCodec<T> {
  return { optional: codec }
}

type Cases<T extends { readonly kind: string }> = {
  readonly [K in T['kind']]: Codec<Omit<Extract<T, { readonly kind: K }>, 'kind'>>
}

/** A union that is told apart by `kind`; a kind is sent as its place in the list, so new ones go to the end. */
export function oneOf<T extends { readonly kind: string }>(cases: Cases<T>): Codec<T> {
  const list = Object.entries(cases) as [string, Codec<object>][]
  const places = new Map(list.map(([kind], place) => [kind, place]))
  return {
    write(writer, value) {
      const place = places.get(value.kind)
      const codec = place === undefined ? undefined : list[place]?.[1]
      if (place === undefined || codec === undefined) throw invalid(`there is no ${value.kind}`)
      writer.u8(place)
      codec.write(writer, value)
    },
    read(reader) {
      const found = list[reader.u8()]
      if (found === undefined) throw invalid('a kind is unknown')
      return { kind: found[0], ...found[1].read(reader) } as unknown as T
    },
  }
}

/** One of a few words, sent as its place in the list: new ones go to the end. */
export function word<const W extends string>(...words: readonly W[]): Codec<W> {
  return {
    write(writer, value) {
      const place = words.indexOf(value)
      if (place < 0) throw invalid(`${value} is none of ${words.join(', ')}`)
      writer.u8(place)
    },
    read(reader) {
      const value = words[reader.u8()]
      if (value === undefined) throw invalid('a word is unknown')
      return value
    },
  }
}

/**
 * Any string, also one that is not well-formed Unicode: half a character arrives as that half (as WTF-8 writes it), so
 * that the service refuses it, in its own words, as it does in one process.
 */
export const text: Codec<string> = {
  write(writer, value) {
    if (/\p{Surrogate}/u.test(value)) writer.binary(wtf8(value))
    else writer.utf8(value)
  },
  read: (reader) => reader.utf8(),
}

/** A whole number from 0 to 2^53 − 1. */
export const count: Codec<number> = {
  write(writer, value) {
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${value} is not a whole number of 0 or more`)
    writer.varint(value)
  },
  read: (reader) => safe(reader.varint()),
}

/** A whole number below or above 0: the sign, then the rest. */
export const integer: Codec<number> = {
  write(writer, value) {
    if (!Number.isSafeInteger(value)) throw invalid(`${value} is not a whole number`)
    writer.bool(value < 0).varint(Math.abs(value))
  },
  read(reader) {
    const isNegative = reader.bool()
    const size = safe(reader.varint())
    return isNegative ? -size : size
  },
}

export const flag: Codec<boolean> = {
  write: (writer, value) => void writer.bool(value),
  read: (reader) => reader.bool(),
}

/** Read as a view of what was received, which it keeps in memory with all that came beside it. */
export const bytes: Codec<Uint8Array> = {
  write: (writer, value) => void writer.bytes(value),
  read: (reader) => reader.bytes(),
}

/** For bytes that the receiver keeps. */
export const ownBytes: Codec<Uint8Array> = {
  write: (writer, value) => void writer.bytes(value),
  read: (reader) => reader.bytes().slice(),
}

export const nothing: Codec<void> = { write: () => undefined, read: () => undefined }

/** Of a property that is always there, and perhaps undefined. */
export function orUndefined<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    write: (writer, value) => void writer.optional(value, (to, present) => codec.write(to, present)),
    read: (reader) => reader.optional((from) => codec.read(from)),
  }
}

export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    write(writer, value) {
      writer.bool(value !== null)
      if (value !== null) codec.write(writer, value)
    },
    read: (reader) => (reader.bool() ? codec.read(reader) : null),
  }
}

export function listOf<T>(codec: Codec<T>): Codec<readonly T[]> {
  return {
    write: (writer, values) => void writer.list(values, (to, value) => codec.write(to, value)),
    read: (reader) => reader.list((from) => codec.read(from)),
  }
}

/** By name, in insertion order. `name`: how names are written. */
export function mapOf<T>(codec: Codec<T>, name: Codec<string> = text): Codec<Readonly<Record<string, T>>> {
  const entry: Codec<readonly [string, T]> = {
    write(writer, [key, value]) {
      name.write(writer, key)
      codec.write(writer, value)
    },
    read: (reader) => [name.read(reader), codec.read(reader)],
  }
  const entries = listOf(entry)
  return {
    write: (writer, values) => entries.write(writer, Object.entries(values)),
    read(reader) {
      const values: Record<string, T> = {}
      for (const [key, value] of entries.read(reader)) {
        // A header named __proto__ must become a key, not a prototype.
        Object.defineProperty(values, key, { value, enumerable: true, writable: true, configurable: true })
      }
      return values
    },
  }
}

/** Below what one payload may hold (`RpcLimits.maxPayloadBytes`), with room for the rest of it. */
export const maxPageBytes = 3 * 1024 * 1024

/** A piece of a list, and whether more follows. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly truncated: boolean
}

/** A page. One that would be larger than a payload ends early and says that more follow; one item always goes. */
export function pageOf<T>(item: Codec<T>): Codec<Page<T>> {
  return {
    write(writer, page) {
      const items: Uint8Array[] = []
      let sizeBytes = 0
      for (const value of page.items) {
        const one = new ByteWriter()
        item.write(one, value)
        const written = one.finish()
        sizeBytes += written.length
        if (sizeBytes > maxPageBytes && items.length > 0) break
        items.push(written)
      }
      writer.list(items, (to, written) => to.raw(written)).bool(page.truncated || items.length < page.items.length)
    },
    read: (reader) => ({ items: reader.list((from) => item.read(from)), truncated: reader.bool() }),
  }
}

/** Every payload begins with it. */
export const payloadVersion = 1

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new ByteWriter().u8(payloadVersion)
  codec.write(writer, value)
  return writer.finish()
}

/** All of it, or `InvalidArgument`: what cannot be read was not written by us. */
export function decode<T>(codec: Codec<T>, payload: Uint8Array): T {
  const reader = new ByteReader(payload)
  try {
    const version = reader.u8()
    if (version !== payloadVersion) throw invalid(`payloads of version ${version} are unknown`)
    const value = codec.read(reader)
    if (reader.remaining > 0) throw invalid('more follows than was expected')
    return value
  } catch (cause) {
    // A code point beyond Unicode is a RangeError.
    if (!(cause instanceof StoreError) && !(cause instanceof RangeError)) throw cause
    throw new StoreError('InvalidArgument', `the payload cannot be read: ${cause.message}`, { cause })
  }
}

function invalid(message: string): StoreError {
  return new StoreError('InvalidArgument', message)
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw invalid('a number is too large')
  return value
}

/** UTF-8 as if half a surrogate pair were a character. */
function wtf8(value: string): string {
  let binary = ''
  for (const character of value) {
    const point = character.codePointAt(0) ?? 0
    const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f)
    if (point < 0x80) binary += character
    else if (point < 0x800) binary += String.fromCharCode(0xc0 | (point >> 6), tail(0))
    else if (point < 0x1_0000) binary += String.fromCharCode(0xe0 | (point >> 12), tail(6), tail(0))
    else binary += String.fromCharCode(0xf0 | (point >> 18), tail(12), tail(6), tail(0))
  }
  return binary
}
