/**
 * `npm run bench`: the server as a user starts it, driven from outside, next to a floor measured in the same run
 * (`floor.ts`). Absolute figures depend on the machine and on what else it does; the ratio to the floor is the claim.
 *
 *   npm run bench [-- --seconds 3] [--only put] [--quick] [--save]
 *
 * `--save` rewrites docs/benchmark.md; `--quick` measures a few cases and prints their CPU per operation beside the
 * figure of that page. No figure decides a test.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer } from '../harness/server.ts'
import { fill, makeBucket, runLoad } from './load-run.ts'
import type { Load, LoadTarget } from './load-run.ts'
import { usageOf } from './process-usage.ts'
import { row, table } from './table.ts'
import type { Measured, Row } from './table.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
})

interface Case {
  readonly operation: 'put' | 'get' | 'head' | 'list' | 'delete'
  readonly size: number
  readonly connections: number
  readonly keys: number
  /** The floor that the ratio is against; a list or a delete has none. */
  readonly floor?: 'put' | 'get'
  readonly prefix?: string
  readonly quick?: boolean
}

const KiB = 1024
const MiB = KiB * KiB
const bucket = 'bench'
const manyKeys = 1_000_000

const cases: readonly Case[] = [
  { operation: 'put', size: 4 * KiB, connections: 1, keys: 2048, floor: 'put' },
  { operation: 'put', size: 4 * KiB, connections: 64, keys: 2048, floor: 'put', quick: true },
  { operation: 'get', size: 4 * KiB, connections: 64, keys: 2048, floor: 'get', quick: true },
  { operation: 'head', size: 4 * KiB, connections: 64, keys: 2048 },
  { operation: 'put', size: 64 * KiB, connections: 16, keys: 1024, floor: 'put' },
  { operation: 'get', size: 64 * KiB, connections: 16, keys: 1024, floor: 'get' },
  { operation: 'put', size: MiB, connections: 16, keys: 128, floor: 'put' },
  { operation: 'get', size: MiB, connections: 16, keys: 128, floor: 'get' },
  { operation: 'put', size: 10 * MiB, connections: 16, keys: 32, floor: 'put' },
  { operation: 'get', size: 10 * MiB, connections: 16, keys: 32, floor: 'get' },
  { operation: 'list', size: 0, connections: 16, keys: 2000, prefix: 'few/' },
  { operation: 'list', size: 0, connections: 16, keys: manyKeys, prefix: 'many/' },
  { operation: 'delete', size: 4 * KiB, connections: 16, keys: 20_000, prefix: 'gone/' },
]

const committedPage = join(import.meta.dirname, '../../docs/benchmark.md')
const directory = mkdtempSync(join(tmpdir(), 'o3-bench-'))

interface Target extends LoadTarget {
  readonly pid: number
}

/** One run of `o3 bench`, and what it took of the server's processor. */
async function measure(target: Target, given: Case): Promise<Measured> {
  const before = usageOf(target.pid)
  const result = await runLoad(target, loadOf(given), `${flags.seconds}s`)
  const after = usageOf(target.pid)
  return {
    ...result,
    cpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1000) / Math.max(result.requests, 1),
    rssMB: after.rssMB,
  }
}

function loadOf({ operation, size, connections, keys, prefix = `${operation}-${size}-` }: Case): Load {
  return { operation, size, connections, keys, prefix }
}

async function startFloor(size: number): Promise<Target & { readonly child: ChildProcess }> {
  const flag = '--external-memory-accounted-in-global-limit'
  const child = spawn(process.execPath, [flag, join(import.meta.dirname, 'floor.ts'), directory, `${size}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<string>((resolve) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim().split(' ')[1] ?? ''))
  })
  return { endpoint: `http://127.0.0.1:${port}`, bucket, pid: child.pid ?? 0, args: ['--unsigned'], child }
}

async function measureFloor(given: Case): Promise<Measured | undefined> {
  if (given.floor === undefined) return undefined
  const floor = await startFloor(given.size)
  try {
    return await measure(floor, { ...given, operation: given.floor })
  } finally {
    floor.child.kill('SIGTERM')
  }
}

try {
  const server = await startServer({ directory: join(directory, 'data'), args: ['--admin-port', '0'] })
  const target: Target = {
    endpoint: server.endpoint,
    bucket,
    pid: server.pid,
    args: ['--access-key', server.accessKey, '--secret-key', server.secretKey],
  }
  const rows: Row[] = []
  await makeBucket(target, server)
  for (const given of cases) {
    if (flags.only !== '' && given.operation !== flags.only) continue
    if (flags.quick && given.quick !== true) continue
    if (given.operation !== 'put') await fill(target, loadOf(given))
    // The runtime compiles what is hot while it runs: the first seconds are not what a server does all day.
    if (given.operation !== 'delete') await measure(target, given)
    // Twice, interleaved with the floor, and the better of each: one pause of the machine must not make a ratio.
    const pairs = []
    for (let round = 0; round < 2; round++) {
      if (given.operation === 'delete' && round > 0) break
      pairs.push({ own: await measure(target, given), floor: await measureFloor(given) })
    }
    const made = row(given, pairs)
    rows.push(made)
    process.stdout.write(`${table([made]).split('\n').at(-2)}\n`)
  }
  const text = table(rows)
  process.stdout.write(`\n${text}`)
  if (flags.quick) process.stdout.write(compared(rows))
  if (flags.save) writeFileSync(committedPage, page(text))
  const errors = rows.reduce((sum, { errors: each }) => sum + each, 0)
  await server.stop()
  process.stdout.write(`${rows.length} measured, ${errors} errors\n`)
  if (errors > 0) process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** What follows the table is another benchmark's section (`npm run bench:ratis`), and stays. */
function page(text: string): string {
  const head = readFileSync(join(import.meta.dirname, 'page.md'), 'utf8')
  const [, ...sections] = readFileSync(committedPage, 'utf8').split('\n## ')
  return [`${head}\n${text}`, ...sections].join('\n## ')
}

/** CPU per operation now and on the committed page: the figure that a busy machine disturbs least. */
function compared(rows: readonly Row[]): string {
  const lines = readFileSync(committedPage, 'utf8').split('\n')
  return rows
    .map(({ label, connections, cpuUsPerRequest }) => {
      const cells = lines.map((line) => line.split('|').map((cell) => cell.trim()))
      const committed = cells.find((line) => line[1] === label && line[2] === String(connections))?.[7] ?? 'none'
      return `CPU per ${label} at ${connections}: ${cpuUsPerRequest.toFixed(0)} µs now, ${committed} µs committed\n`
    })
    .join('')
}
