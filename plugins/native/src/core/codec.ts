/**
 * How the payloads of the native protocol are put together. A codec is both ways of one type, so that they cannot drift
 * apart; `record` demands a field for each property of its type, so that a property that is added to the native interface
 * and forgotten here does not compile. The order of the fields is the order on the wire.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'

export interface Codec<T> {
  write(writer: ByteWriter, value: T): void
  read(reader: ByteReader): T
}

export interface OptionalCodec<T> {
  readonly optional: Codec<T>
}

type Fields<T> = {
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
      return { ...found[1].read(reader), kind: found[0] } as unknown as T
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

/** Well-formed Unicode: half a character would arrive as another one. */
export const text: Codec<string> = {
  write(writer, value) {
    if (/\p{Surrogate}/u.test(value)) throw new StoreError('InvalidName', 'text must be well-formed Unicode')
    writer.utf8(value)
  },
  read: (reader) => reader.utf8(),
}

/** A whole number from 0 to 2^53 − 1. */
export const count: Codec<number> = {
  write(writer, value) {
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${value} is not a whole number of 0 or more`)
    writer.varint(value)
  },
  read: (reader) => reader.varint(),
}

/** A whole number below or above 0: the sign, then the rest. */
export const integer: Codec<number> = {
  write(writer, value) {
    if (!Number.isSafeInteger(value)) throw invalid(`${value} is not a whole number`)
    writer.bool(value < 0).varint(Math.abs(value))
  },
  read(reader) {
    const isNegative = reader.bool()
    const size = reader.varint()
    return isNegative ? -size : size
  },
}

export const flag: Codec<boolean> = {
  write: (writer, value) => void writer.bool(value),
  read: (reader) => reader.bool(),
}

export const bytes: Codec<Uint8Array> = {
  write: (writer, value) => void writer.bytes(value),
  read: (reader) => reader.bytes(),
}

export const nothing: Codec<void> = { write: () => undefined, read: () => undefined }

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

/** By name, in insertion order. */
export function mapOf<T>(codec: Codec<T>): Codec<Readonly<Record<string, T>>> {
  const entry: Codec<readonly [string, T]> = {
    write(writer, [name, value]) {
      text.write(writer, name)
      codec.write(writer, value)
    },
    read: (reader) => [text.read(reader), codec.read(reader)],
  }
  const entries = listOf(entry)
  return {
    write: (writer, values) => entries.write(writer, Object.entries(values)),
    read(reader) {
      const values: Record<string, T> = {}
      for (const [name, value] of entries.read(reader)) {
        // A header named __proto__ must become a key, not a prototype.
        Object.defineProperty(values, name, { value, enumerable: true, writable: true, configurable: true })
      }
      return values
    },
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
    if (!(cause instanceof StoreError)) throw cause
    throw new StoreError('InvalidArgument', `the payload cannot be read: ${cause.message}`, { cause })
  }
}

function invalid(message: string): StoreError {
  return new StoreError('InvalidArgument', message)
}
