/**
 * The deterministic twin of the world. `Simulation` is a whole one: virtual time, machines, a network, one seed.
 * `SimDisk` and `SimRandom` also stand alone, for tests of a single store.
 */

export type { DiskFault, DiskOperation } from './disk-faults.ts'
export { diskLatency, type DiskLatency } from './disk-latency.ts'
export { EventQueue, type SimEvent } from './event-queue.ts'
export type { NameCrash } from './name-tree.ts'
export { SimDisk, type DiskPace, type DurableFile, type SimDiskOptions } from './sim-disk.ts'
export type { SimNetwork, SimNetworkOptions } from './sim-network.ts'
export type { SimNode, SimNodeOptions, SiteVerdict } from './sim-node.ts'
export type { SimProcess } from './sim-process.ts'
export { SimRandom } from './sim-random.ts'
export { Simulation, type SimulationOptions } from './simulation.ts'
