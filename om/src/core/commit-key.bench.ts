import type { PlanView } from '@o3/ratis/api'
import { bench, describe } from 'vitest'
import type { NewContent, OmCommand } from '../api/api.ts'
import { keySummaryOf } from './records.ts'
import { entries } from './rows/entry.ts'
import { planOm } from './rules.ts'

/** Rows in memory, as a warm store has them. */
const rows = new Map<string, unknown>()
const view: PlanView = {
  get: <Key, Value>(table: { prefix: string; encodeKey(key: Key): string }, key: Key) =>
    rows.get(table.prefix + table.encodeKey(key)) as Value | undefined,
  getMany: () => {
    throw new Error('a commit asks for its rows one by one')
  },
}

let sequence = 0
function plan(command: OmCommand) {
  const outcome = planOm(view, command, { wallMs: 1.7e12, sequence: ++sequence, nonce: '0'.repeat(32) })
  if (outcome.kind === 'refusal') throw new Error(outcome.code)
  return outcome
}

function apply(command: OmCommand): void {
  for (const { table, key, value } of plan(command).changes) rows.set(table.prefix + table.encodeKey(key), value)
}

const commit = (key: number, content: NewContent): OmCommand => ({
  kind: 'commit-key',
  volume: 's3v',
  bucket: 'bucket',
  key: `bench/objects/${key}`,
  owner: 'ann',
  size: 4096,
  content,
  attributes: { etag: '0'.repeat(32), contentType: 'text/plain', headers: {}, metadata: {}, tags: {} },
  preconditions: {},
})

const bucket = { volume: 's3v', bucket: 'bucket', owner: 'ann', quota: {}, replication: 'RATIS/ONE' } as const
apply({ kind: 'create-volume', volume: 's3v', owner: 'ann', quota: {} })
apply({ kind: 'create-bucket', ...bucket })
const ranges = [{ container: 1, firstLocal: 1, count: 1024 }]
apply({ kind: 'grant-lease', holder: 'g', durationMs: 1e9, replication: 'RATIS/ONE', ranges })
const lease = sequence
const inline: NewContent = { kind: 'inline', bytes: new Uint8Array(4096) }
for (let key = 0; key < 2048; key++) apply(commit(key, inline))

describe('plan of one commit-key', () => {
  let n = 0
  bench('inline, over another', () => void plan(commit(n++ % 2048, inline)))
  bench('inline, new', () => void plan(commit(10_000 + n++, inline)))
  bench('one leased block, new', () => {
    const extents = [{ block: { container: 1, local: 1 + (n % 1024) }, length: 4096 }]
    plan(commit(10_000 + n++, { kind: 'leased', lease, extents }))
  })
})

describe('rows of a listing', () => {
  const [change] = plan(commit(1, inline)).changes.filter(({ table }) => table.name === 'entries')
  const bytes = change === undefined ? new Uint8Array() : change.table.encode(change.value)
  bench('1,000 rows to summaries', () => {
    for (let i = 0; i < 1000; i++) {
      const row = entries.decode(bytes)
      if (row.kind === 'leaf') keySummaryOf('key', row)
    }
  })
})
