/** What tests of rules and of services need; never imported by product code. */
export { PureStore, type PureStoreOptions } from './pure-store.ts'
