/** `o3 bench`: load on any S3 endpoint, one operation at a time. */

import { StoreError } from '@o3/common/errors'
import { parseDuration, parseSize } from '@o3/common/config'
import type { Command } from 'commander'
import { fill, loadOperations, runLoad } from '../load/load.ts'
import type { LoadOperation, LoadOptions, LoadResult } from '../load/load.ts'

interface BenchFlags {
  readonly endpoint: string
  readonly accessKey?: string
  readonly secretKey?: string
  readonly region: string
  readonly bucket: string
  readonly size: string
  readonly connections: string
  readonly duration: string
  readonly keys: string
  readonly prefix: string
  readonly fill?: boolean
  readonly unsigned?: boolean
  readonly json?: boolean
}

const maxConnections = 4096
const maxKeys = 10_000_000

export function addBench(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  program
    .command('bench')
    .description('put load on an S3 endpoint; the bucket must exist')
    .argument('<operation>', loadOperations.join(' | '))
    .requiredOption('--endpoint <url>', 'for instance http://127.0.0.1:9878', env['AWS_ENDPOINT_URL'])
    .option('--access-key <id>', 'default: AWS_ACCESS_KEY_ID', env['AWS_ACCESS_KEY_ID'])
    .option('--secret-key <key>', 'default: AWS_SECRET_ACCESS_KEY', env['AWS_SECRET_ACCESS_KEY'])
    .option('--region <name>', 'signing region', env['AWS_DEFAULT_REGION'] ?? 'us-east-1')
    .option('--bucket <name>', 'where the keys are', 'bench')
    .option('--size <bytes>', 'of an object, like 4KiB', '4KiB')
    .option('--connections <n>', 'at the same time', '16')
    .option('--duration <time>', 'like 10s', '10s')
    .option('--keys <n>', 'different keys, used in turn', '2048')
    .option('--prefix <text>', 'of every key', 'bench-')
    .option('--fill', 'put every key once before the clock starts')
    .option('--unsigned', 'send no signature: for a server that is only a floor')
    .option('--json', 'one JSON object')
    .action(async (operation: string, flags: BenchFlags) => {
      const options = loadOptions(operation, flags)
      if (flags.fill === true) await fill({ ...options, operation: 'put' })
      const result = await runLoad(options)
      process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : describe(result))
      if (result.errors > 0) process.exitCode = 5
    })
}

function loadOptions(operation: string, flags: BenchFlags): LoadOptions {
  if (!(loadOperations as readonly string[]).includes(operation)) {
    throw new StoreError('InvalidArgument', `${operation} is not an operation; there are ${loadOperations.join(', ')}`)
  }
  const unsigned = flags.unsigned === true
  if (!unsigned && (flags.accessKey === undefined || flags.secretKey === undefined)) {
    throw new StoreError(
      'InvalidArgument',
      'give --access-key and --secret-key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    )
  }
  return {
    endpoint: new URL(flags.endpoint),
    key: { accessKey: flags.accessKey ?? '', secretKey: flags.secretKey ?? '', region: flags.region },
    bucket: flags.bucket,
    operation: operation as LoadOperation,
    sizeBytes: measured('--size', parseSize(flags.size)),
    connections: count('--connections', flags.connections, maxConnections),
    durationMs: measured('--duration', parseDuration(flags.duration)),
    keys: count('--keys', flags.keys, maxKeys),
    prefix: flags.prefix,
    unsigned,
  }
}

function measured(name: string, value: number | undefined): number {
  if (value === undefined) throw new StoreError('InvalidArgument', `${name} is written like 4KiB or 10s`)
  return value
}

function count(name: string, text: string, maximum: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > maximum) {
    throw new StoreError('InvalidArgument', `${name} must be a whole number from 1 to ${maximum}`)
  }
  return value
}

function describe(result: LoadResult): string {
  const { operation, sizeBytes, connections, requests, errors, seconds } = result
  return [
    `${operation}  ${sizeBytes} bytes  ${connections} connections  ${seconds.toFixed(1)} s`,
    `  ${requests} requests, ${errors} errors`,
    `  ${result.perSecond.toFixed(0)} per second, ${result.mbPerSecond.toFixed(1)} MB/s`,
    `  p50 ${result.p50Ms.toFixed(2)} ms, p99 ${result.p99Ms.toFixed(2)} ms`,
    '',
  ].join('\n')
}
