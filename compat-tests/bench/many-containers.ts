/** What very many containers cost SCM and a datanode: their own benchmarks, each in a process of its own. */

import { outputOf } from './load-run.ts'
import type { Fact } from './table.ts'

const programs = ['scm/bench/many-containers.ts', 'hdds/bench/many-containers.ts']

/** A line of JSON for each fact. */
export async function manyContainers(): Promise<readonly Fact[]> {
  const facts: Fact[] = []
  for (const program of programs) {
    const lines = (await outputOf(['--run', program])).split('\n')
    facts.push(...lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Fact))
  }
  return facts
}
