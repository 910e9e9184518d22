/**
 * What the ports promise, as suites for vitest: `env/node` and `env/sim` both pass them. Other implementations of a
 * port run its suite too.
 */

export { clockContract } from './contracts/clock-contract.ts'
export { diskContract, type DiskUnderTest } from './contracts/disk-contract.ts'
export { networkContract, type NetworkUnderTest } from './contracts/network-contract.ts'
export { tasksContract } from './contracts/tasks-contract.ts'
export type { Drive } from './contracts/drive.ts'
