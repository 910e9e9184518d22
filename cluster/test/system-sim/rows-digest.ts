import { createHash } from 'node:crypto'
import type { StateView, StoreRules } from '@o3/ratis/api'

/** All rows of a view as one text: equal for two members at one place. */
export async function digestOf<Command, Reply>(view: StateView, rules: StoreRules<Command, Reply>): Promise<string> {
  const hash = createHash('sha256')
  for (const table of rules.tables) {
    const cursor = view.cursor(table, { from: '' })
    let rows = await cursor.next(500)
    while (rows.length > 0) {
      for (const { rowKey, value } of rows) hash.update(rowKey, 'latin1').update(encodeWith(table, value))
      rows = await cursor.next(500)
    }
    await cursor.close()
  }
  return hash.digest('hex')
}

function encodeWith(table: StoreRules<never, never>['tables'][number], value: unknown): Uint8Array {
  return (table as { encode(value: unknown): Uint8Array }).encode(value)
}
