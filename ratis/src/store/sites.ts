/** The store's named crash sites; those of the log are in `logSites`. */
export const storeSites = [
  'store.turn.before-append',
  'store.commit.before-apply',
  'store.commit.after-replies',
  'store.apply.before-write',
  'store.apply.after-write',
  'store.checkpoint.before-ledger',
  'store.checkpoint.before-kv',
  'store.checkpoint.before-hard-state',
  'store.checkpoint.before-cut',
  'store.checkpoint.after-cut',
  'store.recover.before-replay',
  'store.recover.after-replay',
] as const

export type StoreSite = (typeof storeSites)[number]

/** Those of a member that receives a snapshot. */
export const installSites = [
  'store.install.before-switch',
  'store.install.before-reset',
  'store.install.after-reset',
  'store.install.before-remove',
] as const
