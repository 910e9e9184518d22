/** For authors of plugins and of stores: the reference store and the contract suites. */

export { referenceStore } from './reference-store.ts'
export type { ReferenceStore, ReferenceStoreOptions, ReferenceUser, ReferenceVolume } from './reference-store.ts'
export { storeContract } from './store-contract.ts'
export type { OpenedStore, OpenStore } from './store-contract.ts'
export { pluginContract } from './plugin-contract.ts'
export type { PluginAnswer, PluginClient, PluginUnderTest } from './plugin-contract.ts'
export { failingStore } from './failing-store.ts'
export { observedStore } from './observed-store.ts'
export type { ObservedPut, ObservedStore } from './observed-store.ts'
