/** For authors of plugins and of stores: the reference store and the contract suites. */

export { referenceStore } from './reference-store.ts'
export type { ReferenceStore, ReferenceStoreOptions, ReferenceUser, ReferenceVolume } from './reference-store.ts'
