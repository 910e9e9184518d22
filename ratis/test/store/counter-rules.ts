import { ByteReader, ByteWriter } from '@o3/common/codec'
import { refuse, type Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp, StoreRules, Table } from '../../src/api/api.ts'

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

export const counterRules: StoreRules<CounterCommand, number> = {
  name: 'counters',
  tables: [counters as unknown as Table<never, never>],
  plan,
  freesSpace: (command) => command.kind === 'drop',
  encodeReply: (reply) => new ByteWriter(8).u8(1).varint(reply).finish(),
  decodeReply: (bytes) => {
    const reader = new ByteReader(bytes)
    reader.u8()
    return reader.varint()
  },
}

function plan(view: PlanView, command: CounterCommand, stamp: Stamp): Decision<number> | Refusal {
  const read = (name: string): number => view.get(counters, name)?.value ?? 0
  const set = (key: string, value: number) => ({ table: counters, key, value: { value, changedBy: stamp.sequence } })
  switch (command.kind) {
    case 'add': {
      const value = read(command.name) + command.amount
      return { kind: 'decision', reply: value, changes: [set(command.name, value)] }
    }
    case 'move': {
      const [from, to] = view.getMany(counters, [command.from, command.to]).map((row) => row?.value ?? 0)
      if (from! < command.amount) return refuse('PreconditionFailed', 'not enough', { have: from! })
      if (command.from === command.to) return { kind: 'decision', reply: from!, changes: [] }
      const changes = [set(command.from, from! - command.amount), set(command.to, to! + command.amount)]
      return { kind: 'decision', reply: from! - command.amount, changes: changes }
    }
    case 'drop': {
      const row = view.get(counters, command.name)
      if (row === undefined) return refuse('KeyNotFound', 'no such counter')
      return {
        kind: 'decision',
        reply: row.value,
        changes: [{ table: counters, key: command.name, value: undefined }],
      }
    }
    case 'look':
      return { kind: 'decision', reply: read(command.name), changes: [] }
  }
}
