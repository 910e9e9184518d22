import { availableParallelism } from 'node:os'
import { relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'

if (Number(process.versions.node.split('.')[0]) < 24) {
  throw new Error(`the tests need Node 24 or later, this is ${process.version}: use \`npm test\` or \`npx vitest\``)
}

/** From the longest. They begin first, so that in the end nobody waits for one of them alone. */
const longest = [
  'cli/test/admin-scm.test.ts',
  'cluster/test/system-sim/planted-bugs.test.ts',
  'cluster/test/equivalence/store-contract.test.ts',
  'cli/test/threes.test.ts',
  'cluster/test/equivalence/equivalence.test.ts',
  'cli/test/cluster.test.ts',
  'hdds/test/service/crash-sites.test.ts',
]

/** What the runs before took is known only where there were some, and the build begins with none. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.indexOf(relative(import.meta.dirname, moduleId))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other))
  }
}

export default defineConfig({
  test: {
    include: ['*/test/**/*.test.ts', 'plugins/*/test/**/*.test.ts', 'tools/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'compat-tests/**'],
    pool: 'forks',
    // Some files mostly wait for processes.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // As in production: see cli/bin/o3.mjs.
    execArgv: [
      '--external-memory-accounted-in-global-limit',
      '--max-semi-space-size=4',
      '--disable-warning=ExperimentalWarning',
    ],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    benchmark: { include: ['*/src/**/*.bench.ts', 'plugins/*/src/**/*.bench.ts'] },
  },
})
