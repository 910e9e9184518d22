/** Runs the command as a user does, and a node for it to talk to. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const launcher = join(import.meta.dirname, '../bin/o3.mjs')

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Each line of `out`, parsed. */
  json(): readonly Record<string, unknown>[]
}

export interface RunOptions {
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

function start(args: readonly string[], { cwd, env = {} }: RunOptions): ChildProcess {
  // Nothing of the outer environment but what finds programs: settings of whoever runs the tests are not ours.
  const { PATH, HOME, TMPDIR } = process.env
  const own = Object.fromEntries(Object.entries({ PATH, HOME, TMPDIR }).filter(([, value]) => value !== undefined))
  return spawn(process.execPath, [launcher, ...args], { cwd, env: { ...own, ...env } })
}

function textOf(stream: NodeJS.ReadableStream | null): { text: string } {
  const gathered = { text: '' }
  stream?.setEncoding('utf8').on('data', (piece: string) => (gathered.text += piece))
  return gathered
}

export async function o3(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options)
  const out = textOf(child.stdout)
  const err = textOf(child.stderr)
  child.stdin?.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number]
  const { text } = out
  return {
    code,
    out: text,
    err: err.text,
    json() {
      return text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
  }
}

/** Words of a command line; no quoting. */
export const words = (line: string): readonly string[] => line.split(' ').filter((word) => word !== '')

export async function temporaryDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'o3-cli-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

export interface Started {
  /** All that it has said so far. */
  readonly said: () => string
  signal(name: 'SIGINT' | 'SIGTERM'): void
  /** The exit code, when it has ended. */
  readonly ended: Promise<number>
}

/** Resolves when O3 says that it is ready. */
export async function startServing(args: readonly string[], options: RunOptions = {}): Promise<Started> {
  const child = start(args, options)
  const out = textOf(child.stdout)
  const err = textOf(child.stderr)
  const ended = (once(child, 'close') as Promise<[number]>).then(([code]) => code)
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on('data', () => {
      if (out.text.includes('O3 is ready')) resolve()
    })
  })
  const code = await Promise.race([ready, ended])
  if (code !== undefined) throw new Error(`${args.join(' ')} did not start: ${err.text}${out.text}`)
  return { said: () => out.text, signal: (name) => void child.kill(name), ended }
}

export interface StartedNode {
  readonly banner: string
  stop(): Promise<number>
}

/** Resolves when the node says that it is ready. */
export async function startNode(data: string): Promise<StartedNode> {
  const ports = words('--port 0 --admin-port 0 --native-port 0 --set om.segment=1MiB')
  const { said, signal, ended } = await startServing(['start', '--data', data, ...ports])
  return {
    banner: said(),
    stop() {
      signal('SIGTERM')
      return ended
    },
  }
}
