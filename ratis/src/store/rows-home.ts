/**
 * Which of a member's key-value stores holds its rows. A snapshot is received into a second one; one small file says which
 * of the two counts, and its rename is the moment at which the snapshot takes the place of the state before.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import { crc32c } from '../log/checksum.ts'
import { damaged, isMissingFile, synced } from '../log/damage.ts'
import type { LogPlace } from './system-rows.ts'

/** A member's key-value stores, by name: `db` at first, after each installed snapshot another one. */
export interface KvPlaces {
  /** Opens it, making it when there is none. */
  open(name: string): Promise<KvStore>
  /** Removes it with all that is in it, durably or not: it may be asked for again. Does nothing when there is none. */
  remove(name: string): Promise<void>
}

interface Pointer {
  /** How many snapshots were installed: names the store that counts. */
  readonly generation: number
  /** A snapshot was put in place, and the log was perhaps not reset to begin behind it. */
  readonly reset: LogPlace | undefined
}

const fileName = 'rows'
const version = 1

/** | version 1 | varint generation | 0, or 1 and varints index and term | CRC32C of all before | */
export function encodePointer({ generation, reset }: Pointer): Uint8Array {
  const writer = new ByteWriter(40)
    .u8(version)
    .varint(generation)
    .bool(reset !== undefined)
  if (reset !== undefined) writer.varint(reset.index).varint(reset.term)
  const body = writer.finish()
  return new ByteWriter(44).raw(body).u32(crc32c(body)).finish()
}

/** Throws `Damaged`, or `Incompatible` for a version that this release does not know. */
export function decodePointer(bytes: Uint8Array, path: string): Pointer {
  const body = bytes.subarray(0, -4)
  if (bytes.length < 7 || new ByteReader(bytes.subarray(-4)).u32() !== crc32c(body)) {
    throw damaged(path, 0, 'it does not verify')
  }
  const reader = new ByteReader(body)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `${path} is of version ${found}; this release reads version ${version}`)
  }
  const generation = reader.varint()
  return { generation, reset: reader.bool() ? { index: reader.varint(), term: reader.varint() } : undefined }
}

export class RowsHome {
  private readonly env: Env
  private readonly directory: string
  private readonly places: KvPlaces
  private pointer: Pointer

  private constructor(parts: {
    readonly env: Env
    readonly directory: string
    readonly places: KvPlaces
    readonly pointer: Pointer
  }) {
    this.env = parts.env
    this.directory = parts.directory
    this.places = parts.places
    this.pointer = parts.pointer
  }

  /** Rejects with `Damaged` when the file that says which store counts does not verify. */
  static async open(env: Env, directory: string, places: KvPlaces): Promise<RowsHome> {
    const pointer = await readPointer(env, `${directory}/${fileName}`)
    const home = new RowsHome({ env, directory, places, pointer })
    // A crash may have come before it was removed.
    await home.removePrevious()
    return home
  }

  /** Where the log has to begin, because a snapshot was put in place and nobody knows whether the log was reset. */
  get reset(): LogPlace | undefined {
    return this.pointer.reset
  }

  openCurrent(): Promise<KvStore> {
    return this.places.open(nameOf(this.pointer.generation))
  }

  /** The one that a snapshot is received into. */
  openIncoming(): Promise<KvStore> {
    return this.places.open(nameOf(this.pointer.generation + 1))
  }

  removeIncoming(): Promise<void> {
    return this.places.remove(nameOf(this.pointer.generation + 1))
  }

  /** From the moment that this is durable the incoming store counts, and the log must be reset. */
  async replace(place: LogPlace): Promise<void> {
    await this.save({ generation: this.pointer.generation + 1, reset: place })
  }

  /** The log begins behind the snapshot. */
  async settle(): Promise<void> {
    await this.save({ generation: this.pointer.generation, reset: undefined })
  }

  async removePrevious(): Promise<void> {
    if (this.pointer.generation > 0) await this.places.remove(nameOf(this.pointer.generation - 1))
  }

  private async save(pointer: Pointer): Promise<void> {
    const { disk } = this.env
    const path = `${this.directory}/${fileName}`
    const draft = `${path}.new`
    if ((await disk.stat(draft)) !== undefined) await disk.remove(draft)
    const file = await disk.open(draft, 'create')
    try {
      await file.write([encodePointer(pointer)], 0)
      await synced(file.sync())
    } finally {
      await file.close()
    }
    await disk.rename(draft, path)
    await synced(disk.syncDirectory(this.directory))
    this.pointer = pointer
  }
}

const nameOf = (generation: number): string => (generation === 0 ? 'db' : `db.${generation}`)

async function readPointer(env: Env, path: string): Promise<Pointer> {
  try {
    const file = await env.disk.open(path, 'read')
    try {
      const bytes = new Uint8Array(await file.size())
      const length = await file.read(bytes, 0)
      return decodePointer(bytes.subarray(0, length), path)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissingFile(error)) return { generation: 0, reset: undefined }
    throw error
  }
}
