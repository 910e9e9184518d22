/**
 * `npm run bench:ratis [-- --bytes 4096 --clients 64 --seconds 3]`: what a group costs over its floor, which appends and syncs
 * the same bytes with group commit to one file. Floor and contender take turns; the ratio of the better round counts.
 */

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeEnv } from '@o3/common/env/node'
import { openLog } from '@o3/ratis/log'
import { noConfiguration, openRaftNode } from '@o3/ratis/node'
import { FloorLog } from './floor.ts'
import { memberIds, openMember } from './member.ts'
import { SinkMachine } from './sink-machine.ts'

const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '4096' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '2' },
    port: { type: 'string', default: '7950' },
    /** Which contenders, by name. */
    only: { type: 'string', default: 'log,one,three' },
  },
})
const clients = Number(values.clients)
const seconds = Number(values.seconds)
const firstPort = Number(values.port)
// The first byte of a command is never 0.
const payload = new Uint8Array(Number(values.bytes)).fill(7)

type Write = () => Promise<void>

interface Measured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of this process. */
  readonly cpuUs: number
}

interface Contender {
  readonly name: string
  readonly write: Write
}

async function measure(write: Write): Promise<Measured> {
  const times: number[] = []
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  const endMs = startMs + seconds * 1000
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
        await write()
        times.push(performance.now() - beganMs)
      }
    }),
  )
  const perSecond = times.length / ((performance.now() - startMs) / 1000)
  const { user, system } = process.cpuUsage(startCpu)
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0
  return { perSecond, p50Ms: at(0.5), p99Ms: at(0.99), cpuUs: (user + system) / times.length }
}

async function compare(floor: Write, contender: Contender): Promise<void> {
  let best = { ratio: 0, own: { perSecond: 0, p50Ms: 0, p99Ms: 0, cpuUs: 0 }, floor: 0 }
  for (let round = 0; round < Number(values.rounds); round++) {
    const under = await measure(floor)
    const own = await measure(contender.write)
    const ratio = own.perSecond / under.perSecond
    if (ratio > best.ratio) best = { ratio, own, floor: under.perSecond }
  }
  const { ratio, own } = best
  const columns = [
    contender.name.padEnd(34),
    `${own.perSecond.toFixed(0).padStart(8)} /s`,
    `p50 ${own.p50Ms.toFixed(2)} ms`,
    `p99 ${own.p99Ms.toFixed(2)} ms`,
    `cpu ${own.cpuUs.toFixed(0)} us`,
    `floor ${best.floor.toFixed(0)} /s`,
    `ratio ${ratio.toFixed(2)}`,
  ]
  process.stdout.write(`${columns.join('   ')}\n`)
}

const env = nodeEnv()
// Beside the sources: the temporary directory may not be on a disk.
const directory = await mkdtemp('.bench-')
const children: ChildProcess[] = []
try {
  process.stdout.write(`${clients} clients, ${payload.length} bytes, ${seconds} s a round\n`)
  const floor = await FloorLog.open(env, join(directory, 'floor'))
  const append: Write = () => floor.append(payload)
  const contenders = { log: benchLog, one: benchOne, three: benchThree }
  for (const [name, bench] of Object.entries(contenders)) {
    if (values.only.split(',').includes(name)) await bench(append)
  }
  await floor.close()
} finally {
  for (const child of children) child.disconnect()
  await Promise.all(children.map((child) => once(child, 'exit')))
  await rm(directory, { recursive: true })
}

async function benchLog(floor: Write): Promise<void> {
  const log = await openLog(env, join(directory, 'log'))
  let isCutting = false
  const write: Write = () =>
    new Promise((resolve, reject) => {
      log.append([{ index: log.lastIndex + 1, term: 1, payload }], (error) =>
        error === undefined ? resolve() : reject(error),
      )
      if (isCutting || log.bytes < 64 * 1024 * 1024) return
      isCutting = true
      void log.truncateBefore(log.durableIndex + 1).finally(() => {
        isCutting = false
      })
    })
  await compare(floor, { name: 'the log alone', write })
  while (isCutting) await env.clock.sleep(10)
  await log.close()
}

async function benchOne(floor: Write): Promise<void> {
  const machine = new SinkMachine()
  const raft = await openRaftNode({
    env,
    id: 'a',
    group: 'one',
    directory: join(directory, 'one'),
    transport: {
      send: () => false,
      setAddress: () => {},
      receive: () => () => {},
      close: () => Promise.resolve(),
    },
    recover: (log) => machine.recover(log),
    bootstrap: { ...noConfiguration, voters: ['a'] },
  })
  machine.attach(raft)
  await machine.leads()
  await compare(floor, { name: 'a group of one', write: () => machine.propose(payload) })
  await raft.close()
}

async function benchThree(floor: Write): Promise<void> {
  for (const id of memberIds.slice(1)) {
    const child = fork(join(import.meta.dirname, 'member.ts'), [id, join(directory, id), String(firstPort)])
    children.push(child)
    await once(child, 'message')
  }
  const { machine, close } = await openMember({ id: 'a', directory: join(directory, 'a'), firstPort })
  await machine.leads()
  await compare(floor, { name: 'three processes, one disk', write: () => machine.propose(payload) })
  await close()
}
