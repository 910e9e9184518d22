/** What erasure coding costs without S3 around it, as the benchmark beside the code counts it: `hdds/src/ec/ec.bench.ts`. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'

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
  const child = spawn(process.execPath, [vitest, 'bench', '--run', 'hdds/src/ec'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`the benchmark of erasure coding ended with ${code}\n${output}`))
    })
  })
}
