/**
 * What 100,000 containers cost the leader of SCM, with model datanodes that report three replicas of each. Started by
 * `npm run bench:cluster -- --only scale`; alone:
 *
 *   node cli/bin/o3.mjs --run scm/bench/many-containers.ts [--containers 100000] [--datanodes 30]
 *
 * Prints a line of JSON for each fact. No figure decides a test.
 */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Logger } from '@o3/common/logger'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import { nodeEnv } from '@o3/common/env/node'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { DatanodeAnswer, RegisterRequest } from '../src/api/api.ts'
import { ScmService, defaultReplicationConfig, defaultScmConfig, replicationWorker } from '../src/module.ts'
import type { ScmCommand, ScmReply } from '../src/module.ts'
import { datanodeAnswer, registerRequest } from '../src/rpc/records.ts'
import { fillRows, heartbeatOf, modelNodes, openBenchStore, registrationOf } from './model-rows.ts'
import type { ModelShape } from './model-rows.ts'
import { collected, measured, turn } from './measured.ts'

const { values: flags } = parseArgs({
  options: {
    containers: { type: 'string', default: '100000' },
    datanodes: { type: 'string', default: '30' },
    /** Only writes the rows, there: so that the process that is measured has not made them. */
    fill: { type: 'string' },
  },
})
const shape: ModelShape = { containers: Number(flags.containers), datanodes: Number(flags.datanodes) }
const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => quiet }

function encoded(request: RegisterRequest): Uint8Array {
  const writer = new ByteWriter()
  registerRequest.write(writer, request)
  return writer.finish()
}

/** A message is read anew by everybody who keeps it. */
function decoded(message: Uint8Array): RegisterRequest {
  return registerRequest.read(new ByteReader(message))
}

function fact(what: string, figure: string): void {
  process.stdout.write(`${JSON.stringify([what, figure])}\n`)
}

const nodes = modelNodes(shape)
const ms = (given: number): string => `${given.toFixed(given < 10 ? 1 : 0)} ms`
const us = (given: number): string => `${(given * 1000).toFixed(0)} µs`

/** The time that datanodes and leader go by: a second for a heartbeat of each, however long that takes a busy machine. */
const env = nodeEnv()
let nowMs = 0
const clock = { ...env.clock, monotonicMs: () => nowMs, wallMs: () => env.clock.wallMs() }

const heldUp = '  its event loop was held up for at most'

async function measure(store: ReplicatedStore<ScmCommand, ScmReply>): Promise<void> {
  const workers = [replicationWorker({ config: defaultReplicationConfig, random: env.random })]
  const scm = new ScmService({
    env: { clock, random: env.random },
    store,
    config: defaultScmConfig,
    log: quiet,
    workers,
  })
  const before = collected()
  const begun = await measured(() => scm.summary())
  fact('a leader reads the rows: CPU', ms(begun.cpuMs))
  fact(heldUp, ms(begun.longestMs))
  const messages = nodes.map((node) => encoded(registrationOf(node, shape)))
  await register(scm, messages)

  const settling = await measured(async () => {
    await beatUntil(scm, () => isSettled(scm))
    // The lives of containers are planned more slowly than copies.
    for (let round = 0; round < 20; round++) await beatAll(scm)
  })
  fact('it plans all of them: CPU', ms(settling.cpuMs))
  fact(heldUp, ms(settling.longestMs))
  const after = collected()
  fact('its memory for them: heap', `${((after.heapBytes - before.heapBytes) / 1e6).toFixed(0)} MB`)
  fact('  the whole process, resident', `${(after.rssBytes / 1e6).toFixed(0)} MB`)

  const rounds = 50
  const still = await measured(async () => {
    for (let round = 0; round < rounds; round++) await beatAll(scm)
  })
  fact('a heartbeat without news: CPU', us(still.cpuMs / rounds / nodes.length))
  await reportAgain(scm, messages)
  await administer(scm)
  await lose(scm)
}

async function register(scm: ScmService, messages: readonly Uint8Array[]): Promise<void> {
  const registered = await measured(async () => {
    for (const message of messages) {
      await scm.register(decoded(message))
      await turn()
    }
  })
  fact('a datanode registers with all that it has: message', `${((messages[0]?.length ?? 0) / 1024).toFixed(0)} KiB`)
  fact('  CPU', ms(registered.cpuMs / nodes.length))
  fact(heldUp, ms(registered.longestMs))
}

async function reportAgain(scm: ScmService, messages: readonly Uint8Array[]): Promise<void> {
  const full = await measured(async () => {
    for (const message of messages) {
      const { containers, ...node } = decoded(message)
      await scm.heartbeat({ ...heartbeatOf({ id: node.id, rack: '' }), full: true, containers })
      await turn()
    }
    await beatUntil(scm, () => isSettled(scm))
  })
  fact('a heartbeat that reports everything again: CPU', ms(full.cpuMs / nodes.length))
  fact(heldUp, ms(full.longestMs))
}

/** What an administrator asks for, but for the way to him. */
async function administer(scm: ScmService): Promise<void> {
  const report = await measured(() => scm.replicationReport())
  fact('`container report`: CPU', ms(report.cpuMs))
  const listed = await measured(async () => {
    for (let last = 0; last < shape.containers;) {
      const page = await scm.listContainers({ after: last, limit: 1_000 })
      last = page.at(-1)?.id ?? Infinity
    }
  })
  fact('`container list` of all: CPU', ms(listed.cpuMs))
  fact(heldUp, ms(listed.longestMs))
  fact('`datanode list`: CPU', ms((await measured(() => scm.listNodes())).cpuMs))
}

async function lose(scm: ScmService): Promise<void> {
  const dead = nodes[0]?.id ?? ''
  // Dead after 20 s of silence.
  for (let second = 0; second < 19; second++) await beatAll(scm, dead)
  const { tasks } = await scm.replicationReport()
  const begun = await measured(() => beatUntil(scm, async () => (await scm.replicationReport()).tasks > tasks, dead))
  fact('a datanode dies: CPU until the first copies are under way', ms(begun.cpuMs))
  fact(heldUp, ms(begun.longestMs))
  const planned = await measured(() => beatUntil(scm, () => isSettled(scm), dead))
  const { tasks: underWay, healths } = await scm.replicationReport()
  const ill = healths.find(({ health }) => health === 'UNDER_REPLICATED')?.containers ?? 0
  fact(`  until all ${ill + underWay} containers are judged, with ${underWay} copies under way`, ms(planned.cpuMs))
  fact(heldUp, ms(planned.longestMs))
}

/** One from each datanode, but those that are dead. */
async function beatAll(scm: ScmService, dead?: string): Promise<void> {
  nowMs += 1_000
  for (const node of nodes) {
    if (node.id === dead) continue
    const answer: DatanodeAnswer = await scm.heartbeat(heartbeatOf(node))
    const writer = new ByteWriter()
    datanodeAnswer.write(writer, { term: answer.term, commands: { items: answer.commands, truncated: false } })
    await turn()
  }
}

async function beatUntil(scm: ScmService, isSo: () => Promise<boolean>, dead?: string): Promise<void> {
  for (let round = 0; round < 1_000; round++) {
    if (await isSo()) return
    await beatAll(scm, dead)
  }
  throw new Error('a thousand heartbeats of each datanode changed nothing')
}

async function isSettled(scm: ScmService): Promise<boolean> {
  return (await scm.replicationReport()).settled
}

async function run(): Promise<void> {
  const directory = await mkdtemp(join(process.cwd(), '.bench-scm-'))
  try {
    const self = process.argv[1] ?? ''
    const given = ['--containers', flags.containers, '--datanodes', flags.datanodes, '--fill', directory]
    const child = spawn(process.execPath, [...process.execArgv, self, ...given], { stdio: 'inherit' })
    const code = await new Promise((resolve) => child.once('close', resolve))
    if (code !== 0) throw new Error(`the rows could not be made: ${code}`)
    const store = await openBenchStore(env, directory)
    await measure(store)
    await store.close()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

if (flags.fill === undefined) await run()
else await fillRows(await openBenchStore(env, flags.fill), shape)
