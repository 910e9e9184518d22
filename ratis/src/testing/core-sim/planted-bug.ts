/** Wrong things that the simulated driver, disk and machine can be told to do. */
export type DriverBug =
  | 'sync-skipped'
  | 'messages-early'
  | 'truncation-ignored'
  | 'votes-after-loss'
  | 'requests-forgotten-by-snapshots'
  | 'applies-before-commit'
  | 'installs-old-snapshot'

export type Bugs = ReadonlySet<DriverBug>

export const noBugs: Bugs = new Set()
