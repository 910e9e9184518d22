/** What tests of rules and of services need; never imported by product code. */
export { ListMachine, listCommand } from './list-machine.ts'
export { MemoryNetwork, type MemoryNetworkOptions, type Travel } from './memory-transport.ts'
export * from './history/history-checking.ts'
export { PacedKv, type PacedKvOptions } from './paced-kv.ts'
export { plantedEnv, Planting, type Plant, type PlantedCall } from './planted-env.ts'
export { PureStore, type PureStoreOptions } from './pure-store.ts'
export { SimulatedGroup, simulatedAddress, type GroupMember, type SimulatedGroupOptions } from './simulated-group.ts'
export { SimulatedStore, type SimulatedStoreOptions } from './simulated-store.ts'
