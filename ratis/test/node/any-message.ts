import fc from 'fast-check'
import type { Configuration } from '../../src/core/configuration.ts'
import type { Entry } from '../../src/core/entry.ts'
import type { AppendReply, Message, SnapshotReply } from '../../src/core/message.ts'
import type { Batch } from '../../src/node/message-codec.ts'

const name = fc.oneof(
  fc.constantFrom('a', ' ~', 'x'.repeat(64)),
  fc.nat().map((n) => `om-${n}`),
)
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const sentMs = fc.double({ noNaN: true, noDefaultInfinity: true })
const text = fc.oneof(fc.constantFrom('', 'é𐀀'), fc.string({ maxLength: 12 }))
const some = fc.uint8Array({ maxLength: 200 })

const probe = { round: count, sentMs }
const facts = { ...probe, priority: count, mayVote: fc.boolean() }
const names = fc.array(name, { maxLength: 4 })

const configuration: fc.Arbitrary<Configuration> = fc.record({
  voters: names,
  outgoing: names,
  learners: names,
  learnersNext: names,
  addresses: fc
    .array(fc.tuple(name, text), { maxLength: 4 })
    .map((pairs) => Object.fromEntries(pairs.filter(([id]) => id !== '__proto__'))),
})

const appendOutcome: fc.Arbitrary<AppendReply['outcome']> = fc.oneof(
  fc.record({ kind: fc.constant('accepted' as const), matchIndex: count }),
  fc.record({ kind: fc.constant('rejected' as const), previousIndex: count, hintIndex: count, hintTerm: count }),
)

const snapshotOutcome: fc.Arbitrary<SnapshotReply['outcome']> = fc.oneof(
  fc.record({ kind: fc.constant('wanted' as const), position: text }),
  fc.record({ kind: fc.constant('installed' as const), matchIndex: count }),
  fc.record({ kind: fc.constant('refused' as const) }),
)

interface Body {
  readonly term: number
  readonly payload: Uint8Array
  readonly externalBytes: number | undefined
}

function entriesFrom(previousIndex: number, bodies: readonly Body[]): readonly Entry[] {
  return bodies.map(({ term, payload, externalBytes }, i) => {
    const entry = { index: previousIndex + 1 + i, term, payload }
    return externalBytes === undefined ? entry : { ...entry, external: { sizeBytes: externalBytes } }
  })
}

const append = fc
  .record({
    ...probe,
    previousIndex: fc.nat(),
    previousTerm: count,
    commitIndex: count,
    bodies: fc.array(
      fc.record({ term: count, payload: some, externalBytes: fc.option(fc.nat(), { nil: undefined }) }),
      { maxLength: 5 },
    ),
  })
  .map(({ bodies, ...rest }) => ({
    kind: 'append' as const,
    ...rest,
    entries: entriesFrom(rest.previousIndex, bodies),
  }))

const purpose = fc.constantFrom('read' as const, 'recovery' as const)

const body = fc.oneof(
  fc.record({
    kind: fc.constantFrom('vote' as const, 'pre-vote' as const),
    lastIndex: count,
    lastTerm: count,
    isTransfer: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('vote-reply' as const, 'pre-vote-reply' as const), isGranted: fc.boolean() }),
  append,
  fc.record({ kind: fc.constant('append-reply' as const), ...facts, outcome: appendOutcome }),
  fc.record({ kind: fc.constant('heartbeat' as const), ...probe, commitIndex: count }),
  fc.record({ kind: fc.constant('heartbeat-reply' as const), ...facts, verifiedIndex: count }),
  fc.record({ kind: fc.constant('read-index' as const), context: count, purpose }),
  fc.record({
    kind: fc.constant('read-index-reply' as const),
    context: count,
    purpose,
    index: fc.option(count, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('timeout-now' as const) }),
  fc.record({
    kind: fc.constant('snapshot-chunk' as const),
    ...probe,
    snapshot: text,
    place: fc.record({ index: count, term: count, configuration }),
    position: text,
    next: fc.option(text, { nil: undefined }),
    checksum: fc.nat(0xffffffff),
    bytes: some,
  }),
  fc.record({ kind: fc.constant('snapshot-reply' as const), ...facts, snapshot: text, outcome: snapshotOutcome }),
)

/** Every kind of message, with every field anywhere in its range. */
export const anyMessage: fc.Arbitrary<Message> = fc
  .tuple(fc.record({ from: name, to: name, term: count }), body)
  .map(([envelope, rest]) => ({ ...envelope, ...rest }))

export const anyBatch: fc.Arbitrary<Batch> = fc.record({
  sender: text,
  messages: fc.array(fc.record({ group: name, message: anyMessage }), { maxLength: 6 }),
})
