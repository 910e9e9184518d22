/** The surfaces that a later release fills, in both the store and the reference. */

import { StoreError } from '@o3/common/errors'
import type { Keys, Snapshots, Tree } from '../api/api.ts'

function refuseCall(name: string): () => Promise<never> {
  return () => Promise.reject(new StoreError('NotImplemented', `${name} comes in a later release`))
}

/** All but `rename`, which is that of keys. */
export function treeOf(keys: Pick<Keys, 'rename'>): Tree {
  return {
    stat: refuseCall('tree.stat'),
    list: refuseCall('tree.list'),
    mkdirs: refuseCall('tree.mkdirs'),
    rename: (ref, to, options) => keys.rename(ref, to, options),
    remove: refuseCall('tree.remove'),
    append: refuseCall('tree.append'),
    truncate: refuseCall('tree.truncate'),
    setAttributes: refuseCall('tree.setAttributes'),
    summary: refuseCall('tree.summary'),
  }
}

export const snapshots: Snapshots = {
  create: refuseCall('snapshots.create'),
  list: refuseCall('snapshots.list'),
  info: refuseCall('snapshots.info'),
  diff: () => ({
    [Symbol.asyncIterator]: () => ({ next: refuseCall('snapshots.diff') }),
  }),
  restore: refuseCall('snapshots.restore'),
  delete: refuseCall('snapshots.delete'),
}
