/** `o3 bench` in a process of its own, against a server that somebody else has started. */

import { spawn } from 'node:child_process'
import { launcher } from '../harness/server.ts'

export interface Load {
  readonly operation: 'put' | 'get' | 'head' | 'list' | 'delete'
  readonly size: number
  readonly connections: number
  readonly keys: number
  readonly prefix: string
}

export interface LoadTarget {
  readonly endpoint: string
  readonly bucket: string
  /** For `o3 bench`: who signs, or that nobody does. */
  readonly args: readonly string[]
}

export interface LoadResult {
  readonly operation: string
  readonly sizeBytes: number
  readonly connections: number
  readonly requests: number
  readonly errors: number
  readonly perSecond: number
  readonly mbPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** `duration` as the command line takes it; `more` are flags of its own. */
export async function runLoad(
  target: LoadTarget,
  load: Load,
  duration: string,
  more: readonly string[] = [],
): Promise<LoadResult> {
  const { operation, size, connections, keys, prefix } = load
  const options = { endpoint: target.endpoint, bucket: target.bucket, size, connections, keys, duration, prefix }
  const told = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  return JSON.parse(await outputOf(['bench', operation, '--json', ...told, ...target.args, ...more])) as LoadResult
}

/** Puts every key once, so that reads find them. */
export async function fill(target: LoadTarget, load: Load): Promise<void> {
  const filled = { ...load, operation: 'head', size: Math.max(load.size, 1), connections: 32 } as const
  await runLoad(target, filled, '10ms', ['--fill'])
}

/** Standard output of an `o3` command; rejects when it ends with another code than 0. */
export function outputOf(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`o3 ${args.join(' ')} ended with ${code}\n${output}`))
    })
  })
}

export async function makeBucket(
  { endpoint, bucket }: LoadTarget,
  { accessKey, secretKey }: { readonly accessKey: string; readonly secretKey: string },
): Promise<void> {
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
}
