/**
 * `o3 bench`: a load generator for any S3 endpoint. A closed loop: each connection sends its next request when the
 * last was answered, so the rate is what the server can do and the latency is what a caller would see.
 */

import { randomFillSync } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { nodeEnv } from '@o3/common/env/node'
import { Latencies } from './latencies.ts'
import { LoadConnection } from './http-client.ts'
import type { PreparedRequest } from './http-client.ts'
import { presign } from './presign.ts'
import type { SigningKey } from './presign.ts'

export const loadOperations = ['put', 'get', 'head', 'list', 'delete'] as const
export type LoadOperation = (typeof loadOperations)[number]

export interface LoadOptions {
  readonly endpoint: URL
  readonly key: SigningKey
  readonly bucket: string
  readonly operation: LoadOperation
  readonly sizeBytes: number
  readonly connections: number
  readonly durationMs: number
  /** Different keys used in turn; `get`, `head` and `delete` expect them to exist (`fill` makes them). */
  readonly keys: number
  readonly prefix: string
  /** Sent as they are, without a signature: for a server that is only a floor. */
  readonly unsigned?: boolean
}

export interface LoadResult {
  readonly operation: LoadOperation
  readonly sizeBytes: number
  readonly connections: number
  readonly requests: number
  readonly errors: number
  readonly seconds: number
  readonly perSecond: number
  readonly mbPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

// One buffer for all bodies, sent piece by piece: the client's memory does not depend on the object's size.
const pieceBytes = 1024 * 1024
const piece = randomFillSync(Buffer.alloc(pieceBytes))

function bodyOf(sizeBytes: number): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let left = sizeBytes; left > 0; left -= pieceBytes) {
    pieces.push(left >= pieceBytes ? piece : piece.subarray(0, left))
  }
  return pieces
}

const methods: Readonly<Record<LoadOperation, string>> = {
  put: 'PUT',
  get: 'GET',
  head: 'HEAD',
  list: 'GET',
  delete: 'DELETE',
}

const expected: Readonly<Record<LoadOperation, readonly number[]>> = {
  put: [200],
  get: [200],
  head: [200],
  list: [200],
  delete: [204],
}

/** All requests of a run, made before it starts. */
function prepare(options: LoadOptions): readonly PreparedRequest[] {
  const { endpoint, operation } = options
  const body = operation === 'put' ? bodyOf(options.sizeBytes) : []
  const count = operation === 'list' ? 1 : options.keys
  return Array.from({ length: count }, (_, index) => {
    const target = targetOf(options, index)
    const length = operation === 'put' ? `content-length: ${options.sizeBytes}\r\n` : ''
    const head = `${methods[operation]} ${target} HTTP/1.1\r\nhost: ${endpoint.host}\r\n${length}\r\n`
    return { head: Buffer.from(head, 'latin1'), body, bodiless: operation === 'head' }
  })
}

function targetOf(options: LoadOptions, index: number): string {
  const { operation, bucket, prefix, endpoint } = options
  const listing = operation === 'list'
  const path = listing ? `/${bucket}` : `/${bucket}/${prefix}${String(index).padStart(8, '0')}`
  if (options.unsigned === true) return path
  const query = listing ? { 'list-type': '2', 'max-keys': '1000', prefix } : {}
  return presign(options.key, { method: methods[operation], host: endpoint.host, path, query, nowMs: Date.now() })
}

/** Runs the load. An answer other than the expected one counts as an error; a broken connection ends the run. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const requests = prepare(options)
  const connections = await openAll(options)
  const latencies = new Latencies()
  const good = expected[options.operation]
  let errors = 0
  let bytes = 0
  let next = 0
  const started = performance.now()
  const until = started + options.durationMs
  const once = options.operation === 'delete'
  const worker = async (connection: LoadConnection): Promise<void> => {
    for (let now = performance.now(); now < until; now = performance.now()) {
      if (once && next >= requests.length) return
      const request = requests[next++ % requests.length] as PreparedRequest
      const answer = await connection.send(request)
      if (!good.includes(answer.status)) errors += 1
      bytes += options.operation === 'put' ? options.sizeBytes : options.operation === 'head' ? 0 : answer.bodyBytes
      latencies.record(performance.now() - now)
    }
  }
  try {
    await Promise.all(connections.map(worker))
  } finally {
    for (const connection of connections) connection.close()
  }
  const seconds = (performance.now() - started) / 1000
  return summarise(options, { latencies, errors, bytes, seconds })
}

/** Puts every key once, so that reads find them. */
export async function fill(options: LoadOptions): Promise<void> {
  const requests = prepare({ ...options, operation: 'put' })
  let next = 0
  const worker = async (): Promise<void> => {
    const open = (): Promise<LoadConnection> => openOne(options)
    let connection = await open()
    try {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        connection = await putPatiently(request, connection, open)
      }
    } finally {
      connection.close()
    }
  }
  await Promise.all(Array.from({ length: options.connections }, worker))
}

/**
 * As S3 clients do: who is asked to slow down waits, longer each time, and asks again; on another connection, for a server
 * that refuses a body closes the one it comes on. Resolves with the connection to go on with.
 */
async function putPatiently(
  request: PreparedRequest,
  first: LoadConnection,
  open: () => Promise<LoadConnection>,
): Promise<LoadConnection> {
  let connection = first
  for (let attempt = 0; ; attempt++) {
    const { status } = await connection.send(request)
    if (status === 200) return connection
    connection.close()
    if (status !== 503 || attempt === maxRetries) throw new Error(`PUT was answered with ${status}`)
    await nodeEnv().clock.sleep(firstRetryMs * 2 ** attempt)
    connection = await open()
  }
}

/** Half a minute in all. */
const maxRetries = 7
const firstRetryMs = 250

function openAll(options: LoadOptions): Promise<LoadConnection[]> {
  return Promise.all(Array.from({ length: options.connections }, () => openOne(options)))
}

function openOne({ endpoint }: LoadOptions): Promise<LoadConnection> {
  return LoadConnection.open(endpoint.hostname, Number(endpoint.port || 80))
}

function summarise(
  options: LoadOptions,
  run: { readonly latencies: Latencies; readonly errors: number; readonly bytes: number; readonly seconds: number },
): LoadResult {
  return {
    operation: options.operation,
    sizeBytes: options.sizeBytes,
    connections: options.connections,
    requests: run.latencies.count,
    errors: run.errors,
    seconds: run.seconds,
    perSecond: run.latencies.count / run.seconds,
    mbPerSecond: run.bytes / run.seconds / 1e6,
    p50Ms: run.latencies.percentile(50),
    p99Ms: run.latencies.percentile(99),
  }
}
