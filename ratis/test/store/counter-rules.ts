import { ByteReader, ByteWriter } from '@o3/common/codec'
import { refuse, type Refusal } from '@o3/common/errors'
import type { Change, Decision, PlanView, Stamp, StoreRules, Table } from '../../src/api/api.ts'

/** A small bank of named counters: enough to see lost, doubled, torn and reordered commands. */

export interface Counter {
  readonly value: number
  /** The stamp's sequence of the last change. */
  readonly changedBy: number
}

export type CounterCommand =
  | { readonly kind: 'add'; readonly name: string; readonly amount: number }
  /** Takes from one and gives to the other; refused when there is not enough. */
  | { readonly kind: 'move'; readonly from: string; readonly to: string; readonly amount: number }
  | { readonly kind: 'drop'; readonly name: string }
  | { readonly kind: 'look'; readonly name: string }
  /** Only for its size. */
  | { readonly kind: 'pad'; readonly name: string; readonly bytes: number }

export interface CounterReply {
  readonly value: number
  /** Where the command stands in the order of all commands. */
  readonly sequence: number
}

export const counters: Table<string, Counter> = {
  name: 'counters',
  prefix: 'c',
  encodeKey: (key) => key,
  decodeKey: (binary) => binary,
  encode: ({ value, changedBy }) => new ByteWriter(16).u8(1).varint(value).varint(changedBy).finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    reader.u8()
    return { value: reader.varint(), changedBy: reader.varint() }
  },
}

export const padding: Table<string, Uint8Array> = {
  name: 'padding',
  prefix: 'p',
  encodeKey: (key) => key,
  decodeKey: (binary) => binary,
  encode: (value) => value,
  decode: (bytes) => bytes,
}

export const counterRules: StoreRules<CounterCommand, CounterReply> = {
  name: 'counters',
  tables: [counters as unknown as Table<never, never>, padding as unknown as Table<never, never>],
  plan,
  freesSpace: (command) => command.kind === 'drop',
  encodeReply: ({ value, sequence }) => new ByteWriter(16).u8(1).varint(value).varint(sequence).finish(),
  decodeReply: (bytes) => {
    const reader = new ByteReader(bytes)
    reader.u8()
    return { value: reader.varint(), sequence: reader.varint() }
  },
}

function plan(view: PlanView, command: CounterCommand, stamp: Stamp): Decision<CounterReply> | Refusal {
  const { sequence } = stamp
  const decide = (value: number, ...changes: Change[]): Decision<CounterReply> => ({
    kind: 'decision',
    reply: { value, sequence },
    changes,
  })
  const set = (key: string, value: number): Change => ({ table: counters, key, value: { value, changedBy: sequence } })
  switch (command.kind) {
    case 'add': {
      const value = (view.get(counters, command.name)?.value ?? 0) + command.amount
      return decide(value, set(command.name, value))
    }
    case 'move': {
      const [from, to] = view.getMany(counters, [command.from, command.to]).map((row) => row?.value ?? 0)
      if (from! < command.amount) return refuse('PreconditionFailed', 'not enough', { have: from! })
      if (command.from === command.to) return decide(from!)
      return decide(
        from! - command.amount,
        set(command.from, from! - command.amount),
        set(command.to, to! + command.amount),
      )
    }
    case 'drop': {
      const row = view.get(counters, command.name)
      if (row === undefined) return refuse('KeyNotFound', 'no such counter')
      return decide(row.value, { table: counters, key: command.name, value: undefined })
    }
    case 'look':
      return decide(view.get(counters, command.name)?.value ?? 0)
    case 'pad':
      return decide(0, { table: padding, key: command.name, value: new Uint8Array(command.bytes).fill(sequence % 256) })
  }
}
