/**
 * What the ports promise, as suites for vitest: `env/node` and `env/sim` both pass them. Other implementations of a
 * port run its suite too.
 */

export { clockContract } from './testing/clock-contract.ts'
export { diskContract, type DiskUnderTest } from './testing/disk-contract.ts'
export { networkContract, type NetworkUnderTest } from './testing/network-contract.ts'
export { secureNetworkContract } from './testing/secure-network-contract.ts'
export { TestAuthority, daysFromNow } from './testing/test-certificates.ts'
export { tasksContract } from './testing/tasks-contract.ts'
export type { Drive } from './testing/drive.ts'
