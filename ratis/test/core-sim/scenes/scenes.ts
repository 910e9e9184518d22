/** What takes more than chance to come about: for bugs that no seed would find soon. Without a bug each keeps every promise. */

export * from './leases.ts'
export * from './losses.ts'
export * from './membership.ts'
