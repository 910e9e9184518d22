import { faultKinds, type FaultKind } from './plan.ts'
import type { RunResult } from './run-seed.ts'

/** One line about many seeds. */
export function ledgerLine(results: readonly RunResult[]): string {
  const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0)
  const faults = faultCounts(results)
  const byKind = faultKinds.map((kind) => `${kind} ${faults.get(kind) ?? 0}`).join(', ')
  const hours = (sum(({ simulatedMs }) => simulatedMs) / 3_600_000).toFixed(2)
  return [
    `${results.length} seeds, ${hours} simulated hours, ${sum(({ events }) => events)} events`,
    `${sum(({ commits }) => commits)} commits, ${sum(({ writes }) => writes)} writes and ${sum(({ reads }) => reads)} reads answered`,
    `faults: ${byKind}`,
    `violations: ${results.filter(({ violation }) => violation !== undefined).length}`,
  ].join('; ')
}

export function faultCounts(results: readonly RunResult[]): ReadonlyMap<FaultKind, number> {
  const counts = new Map<FaultKind, number>()
  for (const { faultCounts: each } of results) {
    for (const [kind, count] of each) counts.set(kind, (counts.get(kind) ?? 0) + count)
  }
  return counts
}
