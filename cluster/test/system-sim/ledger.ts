import { faultKinds, type FaultKind } from './plan.ts'
import type { RunResult } from './run-seed.ts'

/** One line about many seeds. */
export function ledgerLine(results: readonly RunResult[]): string {
  const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0)
  const faults = faultCounts(results)
  const byKind = faultKinds.map((kind) => `${kind} ${faults.get(kind) ?? 0}`).join(', ')
  const hours = (sum(({ simulatedMs }) => simulatedMs) / 3_600_000).toFixed(2)
  const operations = sum(({ counts }) => counts.answered)
  return [
    `${results.length} seeds, ${hours} simulated hours`,
    `${operations} operations answered, ${sum(({ counts }) => counts.lost)} lost, ${sum(({ counts }) => counts.repeats)} repeated`,
    `${sum(({ counts }) => counts.memberReads)} reads at a member, ${sum(({ blocks }) => blocks)} blocks, ${sum(({ commits }) => commits)} entries`,
    `${sum(({ terms }) => terms)} terms with a leader, ${sum(({ installs }) => installs)} snapshots installed`,
    `faults: ${byKind}`,
    `violations: ${results.filter(({ violation }) => violation !== undefined).length}`,
  ].join('; ')
}

export function faultCounts(results: readonly RunResult[]): ReadonlyMap<FaultKind, number> {
  const counts = new Map<FaultKind, number>()
  for (const { faults } of results) {
    for (const [kind, count] of faults) counts.set(kind, (counts.get(kind) ?? 0) + count)
  }
  return counts
}
