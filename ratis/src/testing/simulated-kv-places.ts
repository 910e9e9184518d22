import type { SimNode } from '@o3/common/env/sim'
import type { KvStore } from '@o3/common/kv'
import type { KvPlaces } from '../store/replicated-store.ts'

/**
 * The key-value stores of a simulated machine, for a store that receives snapshots. They have names and are never removed:
 * one that is, is empty when it is opened again.
 */
export function simulatedKvPlaces(
  node: SimNode,
  plantKv: (kv: KvStore, name: string) => KvStore = (kv) => kv,
): KvPlaces {
  return {
    open: async (name) => plantKv(await node.openKv(name), name),
    remove: async (name) => {
      const kv = await node.openKv(name)
      const cursor = kv.cursor({ from: '', to: '\xff' })
      for (let rows = await cursor.next(1000); rows.length > 0; rows = await cursor.next(1000)) {
        await kv.write(rows.map(({ key }) => ({ kind: 'delete', key })))
      }
      await cursor.close()
      await kv.checkpoint()
      await kv.close()
    },
  }
}
