/**
 * The named places at which the server is killed, with how often it may pass before. The names are those of the sources
 * (`env.at`); one that is never reached is reported, so a renamed site cannot drop out unnoticed.
 */

/** Passed by every write or so: killed at a random pass among the first many. */
const often = [
  'store.turn.before-append',
  'log.append.before-write',
  'log.append.before-sync',
  'log.append.after-sync',
  'store.commit.before-apply',
  'store.commit.after-replies',
  'store.apply.before-write',
  'store.apply.after-write',
  'hdds.write.before-write',
  'hdds.write.before-sync',
  'hdds.write.after-sync',
  'hdds.stream.chunk-written',
  'hdds.stream.before-commit',
  'hdds.index.before-write',
]

/** Passed now and then: killed at the first or second pass. */
const seldom = [
  'log.prepare.before-zeros',
  'log.prepare.before-sync',
  'log.prepare.before-rename',
  'log.roll.before-header',
  'log.roll.before-rename',
  'log.roll.before-directory-sync',
  'log.roll.before-first-use',
  'log.truncate.before-hard-state',
  'log.truncate.before-remove',
  'log.truncate.after-remove',
  'log.hard-state.before-write',
  'log.hard-state.between-copies',
  'store.checkpoint.before-kv',
  'store.checkpoint.before-hard-state',
  'store.checkpoint.before-cut',
  'store.recover.before-replay',
  'store.recover.after-replay',
  'hdds.container.file-created',
  'hdds.container.before-directory-sync',
  'hdds.delete.before-tombstone',
  'hdds.delete.after-tombstone',
  'hdds.close.before-seal',
  'hdds.close.after-seal',
  'hdds.compact.copied',
  'hdds.compact.before-rename',
  'hdds.compact.before-directory-sync',
  'hdds.compact.before-switch',
  'hdds.compact.before-remove',
  'hdds.index.before-checkpoint',
  'hdds.index.after-checkpoint',
]

export interface CrashOrder {
  readonly site: string
  readonly pass: number
}

/** Every site once, in a mixed order. */
export function crashOrders(): readonly CrashOrder[] {
  const orders = [
    ...often.map((site) => ({ site, pass: 1 + Math.floor(Math.random() * 200) })),
    ...seldom.map((site) => ({ site, pass: 1 + Math.floor(Math.random() * 2) })),
  ]
  return orders
    .map((order) => ({ order, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ order }) => order)
}
