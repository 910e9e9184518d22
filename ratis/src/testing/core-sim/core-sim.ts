/** The simulator of the Raft core: whole groups in virtual time, with faults and standing checkers. */

export { faultKinds, planOf, printPlan, type FaultKind, type SimPlan } from './plan.ts'
export { scenePlan } from './scene-plan.ts'
export { runSeed, type RunOptions, type RunResult, type Scene, type Violation } from './run-seed.ts'
export type { CoreFactory } from './sim-member.ts'
export type { Bugs, DriverBug } from './planted-bug.ts'
export { faultCounts, ledgerLine } from './ledger.ts'
