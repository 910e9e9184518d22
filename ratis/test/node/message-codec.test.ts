import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStoreError } from '@o3/common/errors'
import { noConfiguration } from '../../src/core/configuration.ts'
import type { Message } from '../../src/core/message.ts'
import { decodeBatch, encodeBatch, messageBytes, type Addressed, type Batch } from '../../src/node/message-codec.ts'
import { anyBatch, anyMessage } from './any-message.ts'

const envelope = { from: 'om-1', to: 'om-2', term: 7 }
const probe = { round: 300, sentMs: 1234.5 }
const facts = { ...probe, priority: 2, mayVote: true }
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const configuration = { ...noConfiguration, voters: ['om-1', 'om-2'], addresses: { 'om-1': 'host:9' } }

/** One of each kind, with each optional part there and not. */
const samples: readonly Message[] = [
  { kind: 'vote', ...envelope, lastIndex: 9, lastTerm: 6, isTransfer: true },
  { kind: 'pre-vote', ...envelope, lastIndex: 2 ** 40, lastTerm: 6, isTransfer: false },
  { kind: 'vote-reply', ...envelope, isGranted: true },
  { kind: 'pre-vote-reply', ...envelope, isGranted: false },
  {
    kind: 'append',
    ...envelope,
    ...probe,
    previousIndex: 9,
    previousTerm: 6,
    commitIndex: 8,
    entries: [
      { index: 10, term: 6, payload: bytes() },
      { index: 11, term: 7, payload: bytes(1, 2, 3), external: { sizeBytes: 1 << 20 } },
    ],
  },
  { kind: 'append-reply', ...envelope, ...facts, outcome: { kind: 'accepted', matchIndex: 11 } },
  {
    kind: 'append-reply',
    ...envelope,
    ...facts,
    outcome: { kind: 'rejected', previousIndex: 9, hintIndex: 5, hintTerm: 4 },
  },
  { kind: 'heartbeat', ...envelope, ...probe, commitIndex: 8 },
  { kind: 'heartbeat-reply', ...envelope, ...facts, mayVote: false, verifiedIndex: 41 },
  { kind: 'read-index', ...envelope, context: 12, purpose: 'read' },
  { kind: 'read-index', ...envelope, context: 12, purpose: 'recovery' },
  { kind: 'read-index-reply', ...envelope, context: 12, purpose: 'read', index: 8 },
  { kind: 'read-index-reply', ...envelope, context: 12, purpose: 'read', index: undefined },
  { kind: 'timeout-now', ...envelope },
  {
    kind: 'snapshot-chunk',
    ...envelope,
    ...probe,
    snapshot: 'om-1/8',
    place: { index: 8, term: 6, configuration },
    position: '',
    next: 'é',
    bytes: bytes(4, 5),
    checksum: 0xdeadbeef,
  },
  {
    kind: 'snapshot-chunk',
    ...envelope,
    ...probe,
    snapshot: 'om-1/8',
    place: { index: 8, term: 6, configuration },
    position: 'é',
    next: undefined,
    bytes: bytes(),
    checksum: 0,
  },
  { kind: 'snapshot-reply', ...envelope, ...facts, snapshot: 'om-1/8', outcome: { kind: 'wanted', position: 'é' } },
  { kind: 'snapshot-reply', ...envelope, ...facts, snapshot: 'om-1/8', outcome: { kind: 'installed', matchIndex: 8 } },
  { kind: 'snapshot-reply', ...envelope, ...facts, snapshot: 'om-1/8', outcome: { kind: 'refused' } },
]

const batchOf = (message: Message): Batch => ({ sender: 'om-1:9', messages: [{ group: 'om', message }] })

const goldenPath = join(import.meta.dirname, 'messages.golden')

describe('a batch of messages', () => {
  test('has the bytes that it had when version 1 was released', () => {
    const lines = samples.map((message) => {
      const hex = Buffer.from(encodeBatch(batchOf(message))).toString('hex')
      return `${message.kind} ${hex}`
    })
    if (process.env['REWRITE'] === 'yes') writeFileSync(goldenPath, `${lines.join('\n')}\n`)
    expect(lines).toEqual(readFileSync(goldenPath, 'utf8').trimEnd().split('\n'))
  })

  test('of an earlier release can be read', () => {
    const read = readFileSync(goldenPath, 'utf8')
      .trimEnd()
      .split('\n')
      .flatMap((line) => decodeBatch(Buffer.from(line.split(' ')[1] ?? '', 'hex')).messages)
    expect(read.map(({ message }) => plain(message))).toEqual(samples)
  })

  test('comes back as it was', () => {
    fc.assert(
      fc.property(anyBatch, (batch) => {
        expect(decodeBatch(encodeBatch(batch))).toEqual(batch)
      }),
    )
  })

  test('is about as long as its messages say, so that windows count right', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const sample = { ...message, from: 'a', to: 'b' }
        const length = encodeBatch(batchOf(sample)).length
        expect(length).toBeLessThan(messageBytes(sample) + 512)
      }),
    )
  })

  test('that was cut is damaged, wherever', () => {
    for (const message of samples) {
      const whole = encodeBatch(batchOf(message))
      for (let end = 0; end < whole.length; end++) {
        expect(refusal(whole.subarray(0, end)), `${message.kind} cut at ${end}`).toBe('Damaged')
      }
    }
  })

  test('of any bytes at all is read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const batch = Uint8Array.from([1, ...noise])
        expect(['read', 'Damaged', 'Incompatible']).toContain(refusal(batch))
      }),
      { numRuns: 2000 },
    )
  })

  test('with one wrong byte is read or refused', () => {
    const change = fc.record({ at: fc.nat(), value: fc.nat(255) })
    fc.assert(
      fc.property(anyBatch, change, (batch, { at, value }) => {
        const whole = Uint8Array.from(encodeBatch(batch))
        whole[at % whole.length] = value
        expect(['read', 'Damaged', 'Incompatible']).toContain(refusal(whole))
      }),
      { numRuns: 300 },
    )
  })

  test('names what it does not know', () => {
    expect(refusal(bytes(2, 0))).toBe('Incompatible')
    expect(refusal(bytes(1, 0, 0, 0))).toBe('Damaged')
    // A list longer than its batch must not be made room for.
    expect(refusal(bytes(1, 0, 255, 255, 255, 255, 255, 255, 3))).toBe('Damaged')
  })

  test('shares the bytes of its entries', () => {
    const message: Message = {
      kind: 'append',
      ...envelope,
      ...probe,
      previousIndex: 1,
      previousTerm: 1,
      commitIndex: 0,
      entries: [{ index: 2, term: 1, payload: bytes(1, 2, 3) }],
    }
    const batch = encodeBatch(batchOf(message))
    const [first] = decodeBatch(batch).messages
    expect(first?.message.kind === 'append' && first.message.entries[0]?.payload.buffer).toBe(batch.buffer)
  })
})

function refusal(batch: Uint8Array): string {
  try {
    decodeBatch(batch)
    return 'read'
  } catch (error) {
    if (!isStoreError(error)) throw error
    return error.code
  }
}

/** Payloads read from a file are `Buffer`s, which are not equal to arrays of the same bytes. */
function plain(message: Addressed['message']): Message {
  if (message.kind === 'snapshot-chunk') return { ...message, bytes: Uint8Array.from(message.bytes) }
  if (message.kind !== 'append') return message
  const entries = message.entries.map((entry) => ({ ...entry, payload: Uint8Array.from(entry.payload) }))
  return { ...message, entries }
}
