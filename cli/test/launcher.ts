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

export interface StartedNode {
  readonly banner: string
  stop(): Promise<number>
}

/** Resolves when the node says that it is ready. */
export async function startNode(data: string): Promise<StartedNode> {
  const ports = words('--port 0 --admin-port 0 --native-port 0 --set om.segment=1MiB')
  const child = start(['start', '--data', data, ...ports], {})
  const out = textOf(child.stdout)
  const err = textOf(child.stderr)
  const closed = once(child, 'close') as Promise<[number]>
  let over = false
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on('data', () => {
      if (out.text.includes('ready')) resolve()
    })
    void closed.then(() => {
      over = true
      resolve()
    })
  })
  await ready
  if (over) throw new Error(`the node did not start: ${err.text}${out.text}`)
  return {
    banner: out.text,
    async stop() {
      if (!over) child.kill('SIGTERM')
      const [code] = await closed
      return code
    },
  }
}
