/** Wrong things that the simulated driver, disk and machine can be told to do; the table of all planted bugs is in the tests. */
export type DriverBug =
  /** Says "durable" when it was only written. */
  | 'sync-skipped'
  /** A sync that failed is taken for one that succeeded. */
  | 'sync-failure-ignored'
  /** Messages that say "I have it" leave before the sync. */
  | 'messages-early'
  | 'vote-not-persisted'
  | 'term-not-persisted'
  /** The end of a log that a new leader took back is written over, and not cut. */
  | 'truncation-ignored'
  /** A member that lost its log goes on as if it had not. */
  | 'votes-after-loss'
  | 'requests-forgotten-by-snapshots'
  /** The state is put in place without what the snapshot says about the group. */
  | 'configuration-forgotten-by-snapshots'
  /** A checkpoint claims one entry more than it has. */
  | 'checkpoint-ahead'
  /** A read does not wait until what it must show is applied. */
  | 'read-before-applied'

export type Bugs = ReadonlySet<DriverBug>

export const noBugs: Bugs = new Set()
