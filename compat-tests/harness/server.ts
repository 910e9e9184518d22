/** Starts O3 as a user does, on a directory of its own, and finds out where it listens. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Server {
  readonly endpoint: string
  readonly admin: string
  readonly host: string
  readonly port: number
  readonly accessKey: string
  readonly secretKey: string
  readonly directory: string
  readonly pid: number
  /** Everything that it has printed. */
  output(): string
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** Resolves when the process has ended by itself. */
  readonly ended: Promise<number | null>
}

export interface ServerOptions {
  readonly directory: string
  /** All services in one process, or one process for each. Default: one. */
  readonly processes?: 'one' | 'one-per-role'
  /** What of O3 is started, when it is neither. */
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Default 60 s: on a busy machine a first start writes its first log segment slowly. */
  readonly readyMs?: number
}

/** Several servers of one machine, started at the same moment, must not try for the same port. */
export const anyPorts = ['--port', '0', '--admin-port', '0', '--native-port', '0']

export const launcher = join(import.meta.dirname, '../../cli/bin/o3.mjs')

const commands: Readonly<Record<NonNullable<ServerOptions['processes']>, readonly string[]>> = {
  one: ['start', ...anyPorts],
  'one-per-role': ['cluster', 'start', '--s3-port', '0'],
}

/** Rejects with all that was printed when the process ends before it is ready. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { directory, processes = 'one', command = commands[processes], args = [], env = {}, readyMs = 60_000 } = options
  const child = spawn(process.execPath, [launcher, ...command, '--data', directory, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  await untilReady(child, () => output, readyMs)
  const { s3, admin } = JSON.parse(readFileSync(join(directory, 'endpoints.json'), 'utf8')) as Record<string, string>
  const credentials = readFileSync(join(directory, 'credentials'), 'utf8')
  const url = new URL(s3 ?? '')
  return {
    endpoint: url.origin,
    admin: admin ?? '',
    host: url.hostname,
    port: Number(url.port),
    accessKey: /^access_key_id = (\S+)$/m.exec(credentials)?.[1] ?? '',
    secretKey: /^secret_access_key = (\S+)$/m.exec(credentials)?.[1] ?? '',
    directory,
    pid: child.pid ?? 0,
    output: () => output,
    stop: () => end(child, 'SIGTERM', ended),
    kill: async () => void (await end(child, 'SIGKILL', ended)),
    ended,
  }
}

async function untilReady(child: ChildProcess, output: () => string, readyMs: number): Promise<void> {
  const until = performance.now() + readyMs
  while (!output().includes('O3 is ready')) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`O3 ended before it was ready (${child.exitCode ?? child.signalCode}):\n${output()}`)
    }
    if (performance.now() > until) {
      child.kill('SIGKILL')
      throw new Error(`O3 was not ready after ${readyMs} ms:\n${output()}`)
    }
    await sleep(20)
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<number | null>): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  return ended
}
