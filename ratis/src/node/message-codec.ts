/**
 * Messages as bytes, many to a batch.
 *
 *     batch    version 1 | where the sender listens | group, message …
 *     group    length, ASCII
 *     message  kind | from | to | term | what the kind has, in the order of its interface
 *
 * Numbers are varints, times are doubles (they are only ever given back), and an entry's index is not there: entries follow
 * `previousIndex`. A later version is a new method of the wire (`raft.messages.2`) beside this one.
 */

import { ByteReader, ByteWriter, utf8Length } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { decodeConfiguration, encodeConfiguration } from '../core/configuration.ts'
import { entryBytes, type Entry } from '../core/entry.ts'
import type { AppendReply, Message, MessageKind, SnapshotReply } from '../core/message.ts'

/** A message and the group that it is for. */
export interface Addressed {
  readonly group: string
  readonly message: Message
}

export interface Batch {
  /** Where the process that sends it listens; '': nowhere. A member that knows nobody yet answers there. */
  readonly sender: string
  readonly messages: readonly Addressed[]
}

const version = 1

/** The numbers of the wire; one that was given is never used again. */
const kinds = {
  vote: 1,
  'pre-vote': 2,
  'vote-reply': 3,
  'pre-vote-reply': 4,
  append: 5,
  'append-reply': 6,
  heartbeat: 7,
  'heartbeat-reply': 8,
  'read-index': 9,
  'read-index-reply': 10,
  'timeout-now': 11,
  'snapshot-chunk': 12,
  'snapshot-reply': 13,
} as const satisfies Record<MessageKind, number>

const kindOf: ReadonlyMap<number, MessageKind> = new Map(
  Object.entries(kinds).map(([kind, number]) => [number, kind as MessageKind]),
)

const fixedBytes = 256

/** About what a message takes in a batch: never much less. What queues and windows count. */
export function messageBytes(message: Message): number {
  if (message.kind === 'append') return message.entries.reduce((sum, entry) => sum + entryBytes(entry), fixedBytes)
  if (message.kind !== 'snapshot-chunk') return fixedBytes
  const { position, next, bytes, place } = message
  const addresses = Object.values(place.configuration.addresses).reduce((sum, each) => sum + each.length + 128, 0)
  return fixedBytes + utf8Length(position) + utf8Length(next ?? '') + bytes.length + addresses
}

/** Bytes of entries and chunks are copied once, into the batch. */
export function encodeBatch({ sender, messages }: Batch): Uint8Array {
  const bytes = messages.reduce((sum, { message }) => sum + messageBytes(message), 64 + sender.length)
  const writer = new ByteWriter(bytes).u8(version).utf8(sender)
  return writer
    .list(messages, (each, { group, message }) => writeMessage(each.binary(asciiOf(group)), message))
    .finish()
}

/**
 * Throws `Damaged`, or `Incompatible` for a version that this release does not know. Payloads are views of `bytes`. What it
 * makes is bounded by the length of `bytes`, whatever they say.
 */
export function decodeBatch(bytes: Uint8Array): Batch {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `raft messages of version ${found}; this release reads version ${version}`)
  }
  const sender = reader.utf8()
  const messages = reader.list((each) => ({ group: readName(each), message: readMessage(each) }))
  if (reader.remaining > 0) throw damaged('bytes behind the last message')
  return { sender, messages }
}

function writeMessage(writer: ByteWriter, message: Message): void {
  const { kind, from, to, term } = message
  writer.u8(kinds[kind]).binary(asciiOf(from)).binary(asciiOf(to)).varint(term)
  switch (kind) {
    case 'vote':
    case 'pre-vote':
      writer.varint(message.lastIndex).varint(message.lastTerm).bool(message.isTransfer)
      return
    case 'vote-reply':
    case 'pre-vote-reply':
      writer.bool(message.isGranted)
      return
    case 'append':
      writeProbe(writer, message)
      writer.varint(message.previousIndex).varint(message.previousTerm).varint(message.commitIndex)
      writer.list(message.entries, writeEntry)
      return
    case 'append-reply':
      writeFacts(writer, message)
      writeAppendOutcome(writer, message.outcome)
      return
    case 'heartbeat':
      writeProbe(writer, message)
      writer.varint(message.commitIndex)
      return
    case 'heartbeat-reply':
      writeFacts(writer, message)
      writer.varint(message.verifiedIndex)
      return
    case 'read-index':
      writer.varint(message.context).u8(purposes[message.purpose])
      return
    case 'read-index-reply':
      writer.varint(message.context).u8(purposes[message.purpose])
      writer.optional(message.index, (each, index) => each.varint(index))
      return
    case 'timeout-now':
      return
    case 'snapshot-chunk':
      writeProbe(writer, message)
      writer.utf8(message.snapshot).varint(message.place.index).varint(message.place.term)
      writer.bytes(encodeConfiguration(message.place.configuration)).utf8(message.position)
      writer.optional(message.next, (each, next) => each.utf8(next))
      writer.u32(message.checksum).bytes(message.bytes)
      return
    case 'snapshot-reply':
      writeFacts(writer, message)
      writer.utf8(message.snapshot)
      writeSnapshotOutcome(writer, message.outcome)
      return
  }
}

function readMessage(reader: ByteReader): Message {
  const kind = kindOf.get(reader.u8())
  if (kind === undefined) throw damaged('a message of an unknown kind')
  const envelope = { from: readName(reader), to: readName(reader), term: readCount(reader) }
  switch (kind) {
    case 'vote':
    case 'pre-vote':
      return {
        kind,
        ...envelope,
        lastIndex: readCount(reader),
        lastTerm: readCount(reader),
        isTransfer: readBool(reader),
      }
    case 'vote-reply':
    case 'pre-vote-reply':
      return { kind, ...envelope, isGranted: readBool(reader) }
    case 'append':
      return readAppend(reader, { kind, ...envelope, ...readProbe(reader) })
    case 'append-reply':
      return { kind, ...envelope, ...readFacts(reader), outcome: readAppendOutcome(reader) }
    case 'heartbeat':
      return { kind, ...envelope, ...readProbe(reader), commitIndex: readCount(reader) }
    case 'heartbeat-reply':
      return { kind, ...envelope, ...readFacts(reader), verifiedIndex: reader.varint() }
    case 'read-index':
      return { kind, ...envelope, context: readCount(reader), purpose: readPurpose(reader) }
    case 'read-index-reply': {
      const question = { context: readCount(reader), purpose: readPurpose(reader) }
      return { kind, ...envelope, ...question, index: readOptional(reader, readCount) }
    }
    case 'timeout-now':
      return { kind, ...envelope }
    case 'snapshot-chunk':
      return {
        kind,
        ...envelope,
        ...readProbe(reader),
        snapshot: reader.utf8(),
        place: {
          index: readCount(reader),
          term: readCount(reader),
          configuration: decodeConfiguration(reader.bytes()),
        },
        position: reader.utf8(),
        next: readOptional(reader, (each) => each.utf8()),
        checksum: reader.u32(),
        bytes: reader.bytes(),
      }
    case 'snapshot-reply':
      return {
        kind,
        ...envelope,
        ...readFacts(reader),
        snapshot: reader.utf8(),
        outcome: readSnapshotOutcome(reader),
      }
  }
}

type AppendHead = Omit<
  Extract<Message, { kind: 'append' }>,
  'previousIndex' | 'previousTerm' | 'commitIndex' | 'entries'
>

function readAppend(reader: ByteReader, head: AppendHead): Message {
  const previousIndex = readCount(reader)
  const previousTerm = readCount(reader)
  const commitIndex = readCount(reader)
  let index: LogIndex = previousIndex
  const entries = reader.list((each) => readEntry(each, ++index))
  return { ...head, previousIndex, previousTerm, commitIndex, entries }
}

function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.varint(entry.term).bytes(entry.payload)
  writer.optional(entry.external, (each, { sizeBytes }) => each.varint(sizeBytes))
}

function readEntry(reader: ByteReader, index: LogIndex): Entry {
  const entry = { index, term: readCount(reader), payload: reader.bytes() }
  const sizeBytes = readOptional(reader, readCount)
  return sizeBytes === undefined ? entry : { ...entry, external: { sizeBytes } }
}

interface Probed {
  readonly round: number
  readonly sentMs: number
}

interface Facts extends Probed {
  readonly priority: number
  readonly mayVote: boolean
}

function writeProbe(writer: ByteWriter, { round, sentMs }: Probed): void {
  writer.varint(round)
  writeDouble(writer, sentMs)
}

function readProbe(reader: ByteReader): Probed {
  return { round: readCount(reader), sentMs: readDouble(reader) }
}

function writeFacts(writer: ByteWriter, facts: Facts): void {
  writeProbe(writer, facts)
  writer.varint(facts.priority).bool(facts.mayVote)
}

function readFacts(reader: ByteReader): Facts {
  return { ...readProbe(reader), priority: readCount(reader), mayVote: readBool(reader) }
}

function writeAppendOutcome(writer: ByteWriter, outcome: AppendReply['outcome']): void {
  switch (outcome.kind) {
    case 'accepted':
      writer.u8(1).varint(outcome.matchIndex)
      return
    case 'rejected':
      writer.u8(2).varint(outcome.previousIndex).varint(outcome.hintIndex).varint(outcome.hintTerm)
      return
  }
}

function readAppendOutcome(reader: ByteReader): AppendReply['outcome'] {
  const kind = reader.u8()
  if (kind === 1) return { kind: 'accepted', matchIndex: readCount(reader) }
  if (kind !== 2) throw damaged('an outcome of an unknown kind')
  return {
    kind: 'rejected',
    previousIndex: readCount(reader),
    hintIndex: readCount(reader),
    hintTerm: readCount(reader),
  }
}

function writeSnapshotOutcome(writer: ByteWriter, outcome: SnapshotReply['outcome']): void {
  switch (outcome.kind) {
    case 'wanted':
      writer.u8(1).utf8(outcome.position)
      return
    case 'installed':
      writer.u8(2).varint(outcome.matchIndex)
      return
    case 'refused':
      writer.u8(3)
      return
  }
}

function readSnapshotOutcome(reader: ByteReader): SnapshotReply['outcome'] {
  const kind = reader.u8()
  if (kind === 1) return { kind: 'wanted', position: reader.utf8() }
  if (kind === 2) return { kind: 'installed', matchIndex: readCount(reader) }
  if (kind === 3) return { kind: 'refused' }
  throw damaged('an outcome of an unknown kind')
}

const purposes = { read: 1, recovery: 2 } as const

function readPurpose(reader: ByteReader): 'read' | 'recovery' {
  const purpose = reader.u8()
  if (purpose === purposes.read) return 'read'
  if (purpose === purposes.recovery) return 'recovery'
  throw damaged('a purpose that nobody has')
}

function readBool(reader: ByteReader): boolean {
  const byte = reader.u8()
  if (byte > 1) throw damaged('neither yes nor no')
  return byte === 1
}

function readOptional<T>(reader: ByteReader, read: (reader: ByteReader) => T): T | undefined {
  return readBool(reader) ? read(reader) : undefined
}

/** `varint` reads up to 56 bits; what is no safe integer would not count right. */
function readCount(reader: ByteReader): number {
  const value = reader.varint()
  if (!Number.isSafeInteger(value)) throw damaged('a number beyond 2^53')
  return value
}

function readName(reader: ByteReader): string {
  const length = reader.varint()
  if (length > maxNameBytes) throw damaged('a name that is too long')
  let name = ''
  for (const byte of reader.raw(length)) {
    if (!isPrintable(byte)) throw damaged('a name that is not printable')
    name += String.fromCharCode(byte)
  }
  return name
}

/** Of a group or a member. */
const maxNameBytes = 255
const isPrintable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f

function asciiOf(name: string): string {
  if (name.length > maxNameBytes) throw new StoreError('InvalidArgument', 'a name is at most 255 characters')
  return name
}

const double = new DataView(new ArrayBuffer(8))
const doubleBytes = new Uint8Array(double.buffer)

function writeDouble(writer: ByteWriter, value: number): void {
  double.setFloat64(0, value, true)
  writer.raw(doubleBytes)
}

function readDouble(reader: ByteReader): number {
  doubleBytes.set(reader.raw(8))
  const value = double.getFloat64(0, true)
  if (!Number.isFinite(value)) throw damaged('a time that is no number')
  return value
}

function damaged(what: string): StoreError {
  return new StoreError('Damaged', `a batch of raft messages holds ${what}`)
}
