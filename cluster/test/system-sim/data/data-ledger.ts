import { dataFaults, type DataFault } from './data-plan.ts'
import type { DataRunResult } from './run-data-seed.ts'

/** One line about many seeds. */
export function dataLedgerLine(results: readonly DataRunResult[]): string {
  const sum = (of: (result: DataRunResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  const faults = dataFaultCounts(results)
  const byKind = dataFaults.map((kind) => `${kind} ${faults.get(kind) ?? 0}`).join(', ')
  const hours = (sum(({ simulatedMs }) => simulatedMs) / 3_600_000).toFixed(2)
  const bytes = (sum(({ counts }) => counts.bytes) / 1024 ** 2).toFixed(0)
  return [
    `${results.length} seeds with datanodes, ${hours} simulated hours`,
    `${sum(({ counts }) => counts.puts)} keys written with ${bytes} MiB, ${sum(({ counts }) => counts.deletes)} deleted, ${sum(({ counts }) => counts.reads)} read`,
    `${sum(({ counts }) => counts.refused)} refused, ${sum(({ counts }) => counts.lost)} lost`,
    `${sum(({ containers }) => containers)} containers, ${sum(({ encoded }) => encoded)} encoded, ${sum(({ encodedAnew }) => encodedAnew)} of them anew`,
    `faults: ${byKind}`,
    `violations: ${results.filter(({ violation }) => violation !== undefined).length}`,
  ].join('; ')
}

export function dataFaultCounts(results: readonly DataRunResult[]): ReadonlyMap<DataFault, number> {
  const counts = new Map<DataFault, number>()
  for (const { faults } of results) {
    for (const [kind, count] of faults) counts.set(kind, (counts.get(kind) ?? 0) + count)
  }
  return counts
}
