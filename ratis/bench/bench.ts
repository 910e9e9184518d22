/**
 * `npm run bench:ratis`: what a group costs, next to floors measured in the same run that only append and sync the same
 * bytes (`floor.ts`, `bare-three.ts`). Floor and subject take turns.
 *
 *   npm run bench:ratis [-- --quick] [--only one,three] [--bytes 4096] [--clients 64] [--profile DIR] [--save]
 *
 * `--profile` leaves a CPU profile of each process; `--save` rewrites this package's section of docs/benchmark.md. No figure
 * decides a test.
 */

import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contest, type Contest, type Processes } from './contest.ts'
import { saveSection } from './page.ts'
import { SubjectProcess } from './subject-process.ts'
import { table } from './table.ts'

const { values: flags } = parseArgs({
  options: {
    bytes: { type: 'string', default: '128' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    port: { type: 'string', default: '7950' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
})
const bytes = Number(flags.bytes)
const load = { writers: Number(flags.clients), seconds: Number(flags.seconds ?? 0.5) }
const rounds = Number(flags.rounds ?? (flags.quick ? 6 : 16))
let nextPort = Number(flags.port)

// Beside the sources: the temporary directory may not be on a disk.
const directory = await mkdtemp('.bench-')
let running: SubjectProcess[] = []
let homes = 0

interface Row {
  readonly name: string
  readonly contest: Contest
}

async function start(program: string, given: Record<string, unknown>): Promise<SubjectProcess> {
  const home = join(directory, `${program}-${homes++}`)
  await mkdir(home)
  const subject = await SubjectProcess.start({
    program: join(import.meta.dirname, `${program}.ts`),
    given: { bytes, directory: home, ...given },
  })
  running.push(subject)
  return subject
}

async function one(program: string): Promise<Processes> {
  const voters = ['a']
  return [await start(program, { id: 'a', voters, firstPort: nextPort++ })]
}

/** The one that is written to starts last: the others have to be there. */
async function three(program: string): Promise<Processes> {
  const voters = ['a', 'b', 'c']
  const firstPort = nextPort
  nextPort += voters.length
  const [leader, ...followers] = voters.map((id) => ({ id, voters, firstPort }))
  const others: SubjectProcess[] = []
  for (const given of followers) others.push(await start(program, given))
  return [await start(program, leader ?? {}), ...others]
}

interface Case {
  readonly name: string
  readonly title: string
  readonly open: () => Promise<Processes>
  readonly openFloor: () => Promise<Processes>
}

const cases: readonly Case[] = [
  { name: 'log', title: 'the log alone', open: () => one('log-subject'), openFloor: () => one('floor-subject') },
  { name: 'sole', title: 'sole voter', open: () => one('sole-subject'), openFloor: () => one('floor-subject') },
  { name: 'one', title: 'group of one', open: () => one('member-subject'), openFloor: () => one('floor-subject') },
  {
    name: 'three',
    title: 'three processes',
    open: () => three('member-subject'),
    openFloor: () => three('bare-three'),
  },
]

async function stopAll(): Promise<void> {
  const processes = running
  running = []
  await Promise.all(processes.map((each) => each.stop()))
}

/** The runtime compiles what is hot while it runs: the first seconds are not what a server does all day. */
async function warmUp(name: string, processes: Processes): Promise<void> {
  await processes[0]?.measure({ ...load, seconds: 2 })
  if (flags.profile === undefined) return
  await mkdir(flags.profile, { recursive: true })
  for (const [at, each] of processes.entries()) {
    await each.profile(join(flags.profile, `${name}-${at === 0 ? 'leader' : `follower-${at}`}.cpuprofile`))
  }
}

const headings = ['', 'commits/s', 'floor', 'ratio', 'p50 ms', 'p99 ms', 'CPU µs', 'others', '/sync', 'msgs']

function lineOf({ name, contest: { own, floor } }: Row) {
  const ratio = floor === undefined ? undefined : own.perSecond / floor.perSecond
  const { perSecond, p50Ms, p99Ms, leaderCpuUs, followerCpuUs, writesPerSync, messages } = own
  return [name, perSecond, floor?.perSecond, ratio, p50Ms, p99Ms, leaderCpuUs, followerCpuUs, writesPerSync, messages]
}

function floorLineOf({ name, contest: { floor } }: Row) {
  if (floor === undefined) return []
  const { perSecond, p50Ms, p99Ms, leaderCpuUs, followerCpuUs, writesPerSync } = floor
  const cells = [perSecond, undefined, undefined, p50Ms, p99Ms, leaderCpuUs, followerCpuUs, writesPerSync, undefined]
  return [[`  its floor`.padEnd(name.length), ...cells]]
}

const rows: Row[] = []
try {
  process.stdout.write(`${load.writers} in flight, ${bytes} bytes, the best of ${rounds} rounds of ${load.seconds} s\n`)
  for (const { name, title, open, openFloor } of cases) {
    if (flags.only !== '' && !flags.only.split(',').includes(name)) continue
    const floor = await openFloor()
    const own = await open()
    await warmUp(name, own)
    const row = { name: title, contest: await contest(own, floor, { load, rounds }) }
    rows.push(row)
    await stopAll()
    process.stdout.write(`${table(headings, [lineOf(row), ...floorLineOf(row)])}\n`)
  }
  const text = table(
    headings,
    rows.flatMap((row) => [lineOf(row), ...floorLineOf(row)]),
  )
  process.stdout.write(`\n${text}`)
  if (flags.save) await saveSection(text)
} finally {
  await stopAll()
  await rm(directory, { recursive: true })
}
