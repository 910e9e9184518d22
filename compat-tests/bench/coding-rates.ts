/** What erasure coding costs without S3 around it, as the benchmark beside the code counts it: `hdds/src/ec/ec.bench.ts`. */

import { join } from 'node:path'
import { run } from '../harness/command.ts'

const root = join(import.meta.dirname, '../..')
const policies = ['rs-3-2', 'rs-6-3', 'rs-10-4']
const rows = [
  ['the code alone', (policy: string) => `encode ${policy}-1024k`],
  ['a container of 60 MiB encoded', (policy: string) => `encode-container ${policy}-1024k`],
  ['read with all shards', (policy: string) => `read ${policy}-1024k with all shards`],
  ['read without one', (policy: string) => `read ${policy}-1024k without one`],
] as const

/** A table: MB of data per second of CPU. */
export async function codingRates(): Promise<string> {
  const rates = ratesIn(await benchOutput())
  const lines = rows.map(([what, name]) => {
    const cells = policies.map((policy) => {
      const rate = rates.get(name(policy))
      if (rate === undefined) throw new Error(`the benchmark does not say "${name(policy)}"`)
      return rate
    })
    return `| ${what} | ${cells.join(' | ')} |`
  })
  return [`| | ${policies.join(' | ')} |`, '|---|---:|---:|---:|', ...lines, ''].join('\n')
}

function ratesIn(output: string): ReadonlyMap<string, string> {
  const found = output.matchAll(/^(.+): (\d+) MB per CPU second$/gm)
  return new Map(Array.from(found, ([, name = '', rate = '']) => [name, rate]))
}

function benchOutput(): Promise<string> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  return run(process.execPath, [vitest, 'bench', '--run', 'hdds/src/ec'], { cwd: root, timeoutMs: 600_000 })
}
