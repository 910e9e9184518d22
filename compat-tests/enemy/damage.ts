/**
 * A process that is killed, and files that are not what they were: what is damaged is named and never served or repaired
 * by guessing; what a power cut may leave is cut off; what was acknowledged is there.
 */

import {
  closeSync,
  cpSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawn } from 'node:child_process'
import { get, listKeys, must, put, send } from '../harness/requests.ts'
import { anyPorts, startServer } from '../harness/server.ts'
import type { Server } from '../harness/server.ts'
import { expect } from '../harness/suite.ts'
import { patterned } from '../harness/tree.ts'
import { Wire } from '../harness/wire.ts'
import { encode } from '../harness/requests.ts'
import { start } from './bad-starts.ts'
import type { Case } from './case.ts'

const bucket = 'kept'
const objects = 120
const blockBytes = 4096
const options = ['--set', 'om.segment=4MiB']

/** Some ride in the log of names, some are blocks. */
const sizeOf = (index: number): number => [200, 3000, 20_000, 300_000][index % 4]!
const bytesOf = (index: number): Buffer => patterned(sizeOf(index), 1000 + index)

export function damage(root: string): readonly Case[] {
  const killed = join(root, 'killed')
  const copy = (name: string): string => {
    const directory = join(root, name)
    cpSync(killed, directory, { recursive: true })
    return directory
  }
  return [
    { name: 'killed after 120 writes: a start finds all', run: () => writeAndKill(killed, copy) },
    { name: 'a flipped bit in the log of names stops the start', run: () => flippedLog(copy('flipped-log')) },
    {
      name: 'rubbish behind the end of the log is cut',
      run: () => tornTail(copy('rubbish'), (log, end) => overwrite(log, end, patterned(3000, 5))),
    },
    {
      name: 'half a record behind the end of the log is cut',
      run: () =>
        tornTail(copy('half'), (log, end) =>
          overwrite(log, end, readFileSync(log).subarray(end - blockBytes, end - blockBytes + 100)),
        ),
    },
    {
      name: 'a log that ends where its records end',
      run: () => tornTail(copy('short'), (log, end) => truncateSync(log, end)),
    },
    { name: 'a flipped bit in a container is never served', run: () => flippedBlock(copy('flipped-block')) },
    { name: 'SIGTERM during uploads: drained, exit code 0, all there', run: () => drained(copy('drained')) },
    { name: 'killed six times while it starts', run: () => killedStarts(copy('starts')) },
    { name: 'killed while it starts for the first time', run: () => killedStarts(join(root, 'first'), 0) },
  ]
}

async function writeAndKill(directory: string, copy: (name: string) => string): Promise<void> {
  const server = await startServer({ directory, args: options })
  await must(send(server, { method: 'PUT', target: `/${bucket}` }))
  for (let index = 0; index < objects; index++) await must(put(server, `/${bucket}/${index}`, bytesOf(index)))
  await server.kill()
  await expectAll(copy('as-it-was'))
}

/** Starts on it, reads every object, and stops in order. */
async function expectAll(directory: string, count = objects): Promise<void> {
  const server = await startServer({ directory, args: options })
  try {
    for (let index = 0; index < count; index++) {
      const { body } = await must(get(server, `/${bucket}/${index}`))
      expect(body.equals(bytesOf(index)), `object ${index} has other bytes`)
    }
  } finally {
    expect((await server.stop()) === 0, `it did not end well\n${server.output()}`)
  }
}

function segmentOf(directory: string): { readonly path: string; readonly bytes: Buffer; readonly end: number } {
  const folder = join(directory, 'om/log')
  const name = readdirSync(folder)
    .filter((each) => each.endsWith('.segment'))
    .toSorted()
    .at(-1)
  const path = join(folder, name ?? '')
  const bytes = readFileSync(path)
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return { path, bytes, end: Math.ceil(end / blockBytes) * blockBytes }
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}

function flip(path: string, at: number): void {
  const byte = Buffer.alloc(1)
  const file = openSync(path, 'r')
  readSync(file, byte, 0, 1, at)
  closeSync(file)
  overwrite(path, at, Buffer.from([byte[0]! ^ 4]))
}

async function flippedLog(directory: string): Promise<string> {
  const { path, bytes, end } = segmentOf(directory)
  // In a record of the middle, behind its header.
  let at = Math.floor(end / 2 / blockBytes) * blockBytes + 100
  while (bytes[at] === 0) at++
  flip(path, at)
  const before = readFileSync(path)
  const { code, output } = await start(directory, { args: ['--set', 'om.segment=4MiB'] })
  expect(code !== 0 && code !== null, `it started, and ended with ${code}`)
  const said = new RegExp(`${path.replaceAll('.', '\\.')}\\D+(\\d+)`).exec(output)
  expect(
    said !== null && output.trimEnd().split('\n').length === 1,
    `expected one line with file and offset:\n${output}`,
  )
  const offset = Number(said[1])
  expect(Math.abs(offset - at) <= blockBytes, `it names ${offset}, the flipped bit is at ${at}`)
  expect(readFileSync(path).equals(before), 'the file was changed')
  return output.trim()
}

async function tornTail(directory: string, tear: (log: string, end: number) => void): Promise<void> {
  const { path, end } = segmentOf(directory)
  tear(path, end)
  await expectAll(directory)
}

async function flippedBlock(directory: string): Promise<string> {
  const victim = 3
  const bytes = bytesOf(victim)
  const containers = join(directory, 'disk/containers')
  const found = readdirSync(containers, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.cnt'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, at: readFileSync(path).indexOf(bytes.subarray(4096, 8192)) }))
    .find(({ at }) => at >= 0)
  expect(found !== undefined, 'the bytes of the object lie in no container')
  flip(found.path, found.at + 1000)
  const server = await startServer({ directory, args: options })
  try {
    for (let index = 0; index < objects; index++) {
      const answer = await get(server, `/${bucket}/${index}`).catch(() => undefined)
      if (index !== victim) expect(answer?.body.equals(bytesOf(index)) === true, `object ${index} is not served`)
      else expect(answer === undefined || answer.status >= 500, `wrong bytes were answered ${answer?.status}`)
    }
    const intact = await must(get(server, `/${bucket}/${victim}`, [['range', 'bytes=200000-200009']]))
    expect(intact.body.equals(bytes.subarray(200_000, 200_010)), 'a range beside the damage has other bytes')
  } finally {
    await server.stop()
  }
  const finding = readFileSync(join(directory, 'o3.log'), 'utf8')
    .split('\n')
    .find((line) => /"level":"(error|warn|fatal)"/.test(line) && line.includes('.cnt'))
  expect(finding !== undefined, 'the log does not name the file')
  return String((JSON.parse(finding) as { readonly message?: unknown }).message)
}

async function drained(directory: string): Promise<string> {
  const server = await startServer({ directory, args: options })
  const acknowledged: number[] = []
  const body = patterned(3_000_000, 77)
  const uploads = Array.from({ length: 8 }, async (_, index) => {
    const wire = await Wire.open(server)
    const bytes = encode(server, { method: 'PUT', target: `/${bucket}/slow-${index}`, body })
    for (let at = 0; at < bytes.length; at += 300_000) {
      await wire.write(bytes.subarray(at, at + 300_000))
      await sleep(150)
    }
    const { status } = await wire.answer()
    if (status === 200) acknowledged.push(index)
    wire.destroy()
  })
  await sleep(500)
  const started = performance.now()
  const code = await server.stop()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  await Promise.allSettled(uploads)
  expect(code === 0, `ended with ${code}\n${server.output()}`)
  expect(
    acknowledged.length === uploads.length,
    `only ${acknowledged.length} of ${uploads.length} uploads were finished`,
  )
  const again = await startServer({ directory, args: options })
  for (const index of acknowledged) {
    const got = await must(get(again, `/${bucket}/slow-${index}`))
    expect(got.body.equals(body), `upload ${index} has other bytes`)
  }
  await again.stop()
  rmSync(directory, { recursive: true })
  return `drained in ${seconds} s`
}

const launcher = join(import.meta.dirname, '../../cli/bin/o3.mjs')

/** At moments that are spread over a start, from the launcher's first line to the first requests. */
async function killedStarts(directory: string, count = objects): Promise<void> {
  for (const afterMs of [150, 400, 700, 1000, 1400, 2000]) {
    const child = spawn(process.execPath, [launcher, 'start', '--data', directory, ...anyPorts], {
      stdio: 'ignore',
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    await sleep(afterMs)
    child.kill('SIGKILL')
    await ended
  }
  if (count > 0) await expectAll(directory, count)
  else {
    const server: Server = await startServer({ directory, args: options })
    await must(send(server, { method: 'PUT', target: '/fresh' }))
    expect((await listKeys(server, 'fresh')).length === 0, 'a new bucket is not empty')
    expect((await server.stop()) === 0, 'it did not end well')
  }
}
