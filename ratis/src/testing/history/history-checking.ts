/** Recording what concurrent clients saw, and judging it. */
export { History, type CallId, type HistoryOptions } from './history.ts'
export { readHistory, writeHistory } from './history-file.ts'
export { checkLinearizable, type CheckLimits, type LinearizabilityVerdict, type Unexplained } from './linearizable.ts'
export { sequentialModel, type Model, type SequentialModel, type SequentialObject } from './model.ts'
export type { Operation, Outcome, Place, Recorded } from './operation.ts'
export { registerModel, type RegisterInput, type RegisterOutput } from './register-model.ts'
