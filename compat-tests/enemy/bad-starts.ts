/** Starts that must not happen: one clear line, an exit code that is not 0, and nothing changed on disk. */

import { spawn } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { anyPorts, startServer } from '../harness/server.ts'
import { expect } from '../harness/suite.ts'
import { sha256 } from '../harness/sigv4.ts'
import type { Case } from './case.ts'

const launcher = join(import.meta.dirname, '../../cli/bin/o3.mjs')
const startDeadlineMs = 60_000

interface Refused {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What the one line must say. */
  readonly says: RegExp
  /** Only who has opened the stores can tell; that they were opened shows in what is theirs alone. */
  readonly opens?: boolean
}

/** `ours` is a data directory that was stopped in order; each case gets a copy. */
export function badStarts(root: string, ours: string): readonly Case[] {
  let copies = 0
  const onCopy = (name: string, refused: Refused & { readonly harm?: (directory: string) => void }): Case => ({
    name,
    run: async () => {
      const directory = join(root, `copy-${copies++}`)
      cpSync(ours, directory, { recursive: true, preserveTimestamps: true })
      refused.harm?.(directory)
      await refuses(directory, refused)
      rmSync(directory, { recursive: true })
    },
  })
  return [
    onCopy('an unknown setting, with a suggestion', {
      args: ['--set', 'om.segmnt=4MiB'],
      says: /om\.segmnt.*om\.segment/,
    }),
    onCopy('an unknown variable, with a suggestion', {
      env: { O3_S3_PROT: '1' },
      says: /O3_S3_PROT.*O3_S3_PORT/,
    }),
    onCopy('a size that is none', { args: ['--set', 'om.segment=1e9'], says: /om\.segment.*1e9/ }),
    onCopy('a size that is too small', { args: ['--set', 'om.segment=1KiB'], says: /om\.segment/ }),
    onCopy('a port that is none', { args: ['--port', '65536'], says: /65536/ }),
    onCopy('a configuration file that is not there', { args: ['--config', '/nowhere.yaml'], says: /\/nowhere\.yaml/ }),
    onCopy('only the access key', {
      env: { O3_ROOT_ACCESS_KEY: 'administrator' },
      says: /O3_ROOT_SECRET_KEY|root\.secretKey/,
    }),
    onCopy('only the secret key', {
      env: { O3_ROOT_SECRET_KEY: 'long enough' },
      says: /O3_ROOT_ACCESS_KEY|root\.accessKey/,
    }),
    onCopy('an address that is not ours', { args: ['--host', '192.0.2.1'], says: /192\.0\.2\.1/ }),
    onCopy('a newer format', {
      harm: (directory) => edit(join(directory, 'VERSION'), (text) => text.replace(/"format": \d+/, '"format": 999')),
      says: /format 999/,
    }),
    onCopy('a VERSION that is none', {
      harm: (directory) => writeFileSync(join(directory, 'VERSION'), 'half a fi'),
      says: /VERSION/,
    }),
    onCopy('a newer format of the disk', {
      harm: (directory) =>
        edit(join(directory, 'disk/VERSION'), (text) => text.replace(/"layoutVersion": \d+/, '"layoutVersion": 999')),
      says: /layout 999/,
      opens: true,
    }),
    onCopy('no cluster.key', {
      harm: (directory) => rmSync(join(directory, 'keys/cluster.key')),
      says: /cluster\.key/,
    }),
    onCopy("another directory's cluster.key", {
      harm: (directory) => writeFileSync(join(directory, 'keys/cluster.key'), `${'0123456789abcdef'.repeat(4)}\n`),
      says: /key/,
      opens: true,
    }),
    onCopy('no log of names', {
      harm: (directory) => {
        const log = join(directory, 'om/log')
        for (const name of readdirSync(log)) if (name.endsWith('.segment')) rmSync(join(log, name))
      },
      says: /om\/log/,
      opens: true,
    }),
    { name: 'a directory that is not ours', run: () => foreign(join(root, 'foreign')) },
    { name: 'a file instead of a directory', run: () => fileInstead(join(root, 'file')) },
    { name: 'a port that is taken', run: () => takenPort(root, ours) },
    { name: 'a directory that another process has', run: () => second(root, ours) },
  ]
}

async function foreign(directory: string): Promise<void> {
  mkdirSync(join(directory, 'photos'), { recursive: true })
  writeFileSync(join(directory, 'photos/1.jpg'), 'a photo')
  copyFileSync(launcher, join(directory, 'a-program'))
  await refuses(directory, { says: /not an O3 data directory/ })
}

async function fileInstead(path: string): Promise<void> {
  writeFileSync(path, 'precious')
  const { code, output } = await start(path, {})
  expectOneLine(code, output, /is a file/)
  expect(readFileSync(path, 'utf8') === 'precious', 'the file was changed')
}

async function takenPort(root: string, ours: string): Promise<void> {
  const directory = join(root, 'taken')
  cpSync(ours, directory, { recursive: true })
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  const { code, output } = await start(directory, { args: ['--port', String(port)] })
  taken.close()
  expectOneLine(code, output, new RegExp(`${port}`))
  // And what was opened before the port was tried was closed in order.
  const server = await startServer({ directory })
  expect((await server.stop()) === 0, `the start after it did not end well\n${server.output()}`)
}

async function second(root: string, ours: string): Promise<void> {
  const directory = join(root, 'shared')
  cpSync(ours, directory, { recursive: true })
  const server = await startServer({ directory })
  try {
    const { code, output } = await start(directory, {})
    expectOneLine(
      code,
      output,
      new RegExp(`shared.*${server.pid}|${server.pid}.*shared|shared.*(in use|running|taken)`),
    )
  } finally {
    expect((await server.stop()) === 0, 'the first did not end well')
  }
}

async function refuses(directory: string, { args, env, says, opens = false }: Refused): Promise<void> {
  const before = fingerprint(directory, opens)
  const { code, output } = await start(directory, { args, env })
  expectOneLine(code, output, says)
  const after = fingerprint(directory, opens)
  const changed = [...after.filter((line) => !before.includes(line)), ...before.filter((line) => !after.includes(line))]
  expect(changed.length === 0, `the directory has changed:\n${changed.join('\n')}`)
}

/** A refusal is a sentence for a person, and perhaps what to try: one line each, no stack. */
function expectOneLine(code: number | null, output: string, says: RegExp): void {
  expect(code !== 0 && code !== null, `ended with ${code}\n${output}`)
  const [line = '', hint = 'try: ', ...more] = output.trimEnd().split('\n')
  const isSaid = says.test(line) && hint.startsWith('try: ') && more.length === 0
  expect(isSaid, `expected one line with ${says}, but it said\n${output}`)
}

interface Ended {
  readonly code: number | null
  readonly output: string
}

/** A start that is expected to end by itself. */
export function start(
  directory: string,
  {
    args = [],
    env = {},
  }: { readonly args?: readonly string[] | undefined; readonly env?: Readonly<Record<string, string>> | undefined },
): Promise<Ended> {
  const all = [launcher, 'start', '--data', directory, ...anyPorts, ...args]
  const child = spawn(process.execPath, all, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: startDeadlineMs,
    killSignal: 'SIGKILL',
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

/** The store's bookkeeping: engine files that every opening renames, and room that is reserved ahead. */
const housekeeping = /\/(db|index)\/|\/log\/(hard-state|spare)/

/** Every file: path, bytes, mode and time of its last change. The server's own log may grow: it says why it did not start. */
function fingerprint(directory: string, opens: boolean): readonly string[] {
  const lines: string[] = []
  const walk = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inner = join(path, entry.name)
      if (entry.isDirectory()) {
        lines.push(inner)
        walk(inner)
      } else if (entry.name !== 'o3.log' && !(opens && housekeeping.test(inner))) {
        const { mtimeMs, mode } = statSync(inner)
        lines.push(`${inner} ${mode} ${mtimeMs} ${sha256(readFileSync(inner))}`)
      }
    }
  }
  walk(directory)
  return lines
}

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(path, 'utf8')
  const after = change(before)
  expect(after !== before, `nothing to change in ${path}`)
  writeFileSync(path, after)
}
