/** For authors of plugins and of stores: the reference store and the contract suites. */

export { referenceStore } from './reference-store.ts'
export type { ReferenceStore, ReferenceStoreOptions, ReferenceUser, ReferenceVolume } from './reference-store.ts'
export { storeContract } from './store-contract.ts'
export type { OpenedStore, OpenStore } from './store-contract.ts'
