/** A whole cluster on virtual time: what the runner and the tests use of it. */
export { ledgerLine } from './ledger.ts'
export { planOf, printPlan } from './plan.ts'
export { runSeed, type RunResult } from './run-seed.ts'
export { dataLedgerLine } from './data/data-ledger.ts'
export { dataPlanOf, printDataPlan } from './data/data-plan.ts'
export { runDataSeed, type DataRunResult } from './data/run-data-seed.ts'
