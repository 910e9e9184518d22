/**
 * The named places at which a crash is interesting: the crash tests stop the machine at each of them, in every legal
 * state of the disk. Order of the list is the order in which a log meets them.
 */
export const logSites = [
  'log.hard-state.before-create',
  'log.hard-state.before-rename',
  'log.hard-state.before-write',
  'log.hard-state.between-copies',
  'log.hard-state.after-sync',
  'log.recover.before-cut',
  'log.recover.before-sync',
  'log.recover.after-sync',
  'log.prepare.before-reuse',
  'log.prepare.before-zeros',
  'log.prepare.before-sync',
  'log.prepare.before-rename',
  'log.roll.before-header',
  'log.roll.before-rename',
  'log.roll.before-directory-sync',
  'log.roll.before-first-use',
  'log.append.before-write',
  'log.append.before-sync',
  'log.append.after-sync',
  'log.cut.before-header',
  'log.cut.before-rename',
  'log.cut.before-directory-sync',
  'log.cut.before-first-use',
  'log.cut.before-remove',
  'log.cut.after-remove',
  'log.reset.before-header',
  'log.reset.before-rename',
  'log.reset.before-directory-sync',
  'log.reset.before-first-use',
  'log.reset.before-remove',
  'log.reset.after-remove',
  'log.truncate.before-hard-state',
  'log.truncate.before-remove',
  'log.truncate.after-remove',
] as const

export type LogSite = (typeof logSites)[number]
