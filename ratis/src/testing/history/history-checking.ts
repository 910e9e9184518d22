/** Recording what concurrent clients saw, and judging it. */
export { checkByIndex, type IndexVerdict } from './by-index.ts'
export type { CheckLimits } from './check-limits.ts'
export {
  conditionalKeyModel,
  type ConditionalKeyInput,
  type ConditionalKeyOutput,
  type KeyCondition,
} from './conditional-key-model.ts'
export { counterModel, type CounterInput } from './counter-model.ts'
export type { Unexplained } from './explain.ts'
export { History, type CallId, type HistoryOptions } from './history.ts'
export { readHistory, writeHistory } from './history-file.ts'
export { keySpaceModel, type KeySpaceInput, type KeySpaceOutput } from './key-space-model.ts'
export { checkLinearizable, type LinearizabilityVerdict } from './linearizable.ts'
export { listModel, type ListInput, type ListOutput } from './list-model.ts'
export { sequentialModel, type Model, type SequentialModel, type SequentialObject } from './model.ts'
export type { Operation, Outcome, Place, Recorded } from './operation.ts'
export { registerModel, type RegisterInput, type RegisterOutput } from './register-model.ts'
