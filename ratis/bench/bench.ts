/**
 * `npm run bench:ratis`: what a group costs, next to floors measured in the same run that only append and sync the same
 * bytes (`floor.ts`, `bare-three.ts`). Floor and subject take turns.
 *
 *   npm run bench:ratis [-- --quick] [--only one,three] [--bytes 4096] [--clients 64] [--profile DIR] [--save]
 *     [--against CHECKOUT]
 *
 * `--against` puts the same subject of another checkout in the floor's place: what a change is worth on a busy machine.
 * `--profile` leaves a CPU profile of each process; `--save` rewrites this package's section of docs/benchmark.md. No figure
 * decides a test.
 */

import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { contest, type Contest, type Outcome, type Processes } from './contest.ts'
import { measureDeadFollower } from './dead-follower.ts'
import { measureLosses } from './losses.ts'
import { saveSection } from './page.ts'
import { SubjectProcess } from './subject-process.ts'
import { table, type Cell } from './table.ts'

const { values: flags } = parseArgs({
  options: {
    bytes: { type: 'string', default: '128' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    /** Seconds before the rounds begin. */
    warm: { type: 'string', default: '4' },
    port: { type: 'string', default: '7950' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    profile: { type: 'string' },
    against: { type: 'string' },
  },
})
const bytes = Number(flags.bytes)
const load = { writers: Number(flags.clients), seconds: Number(flags.seconds ?? 0.5) }
const rounds = Number(flags.rounds ?? (flags.quick ? 6 : 16))
let nextPort = Number(flags.port)

// Beside the sources: the temporary directory may not be on a disk.
const directory = await mkdtemp('.bench-')
const ownSources = import.meta.dirname
let running: SubjectProcess[] = []
let homes = 0

interface Row {
  readonly name: string
  readonly contest: Contest
}

async function start(program: string, given: Record<string, unknown>, sources = ownSources): Promise<SubjectProcess> {
  const home = join(directory, `${basename(program)}-${homes++}`)
  await mkdir(home)
  const subject = await SubjectProcess.start({
    program: join(sources, `${program}.ts`),
    given: { bytes, directory: home, ...given },
  })
  running.push(subject)
  return subject
}

async function one(program: string, sources = ownSources): Promise<Processes> {
  const voters = ['a']
  const preferred = 'a'
  return [await start(program, { id: 'a', voters, preferred, firstPort: nextPort++ }, sources)]
}

/** The one that is written to starts last: the others have to be there. */
async function three(program: string, sources = ownSources, more: Record<string, unknown> = {}): Promise<Processes> {
  const voters = ['a', 'b', 'c']
  const firstPort = nextPort
  nextPort += voters.length
  const [leader, ...followers] = voters.map((id) => ({ id, voters, preferred: 'a', firstPort, ...more }))
  const others: SubjectProcess[] = []
  for (const given of followers) others.push(await start(program, given, sources))
  return [await start(program, leader ?? {}, sources), ...others]
}

interface Case {
  readonly name: string
  readonly title: string
  readonly open: (program: string, sources?: string) => Promise<Processes>
  readonly program: string
  readonly floor: string
}

const cases: readonly Case[] = [
  { name: 'log', title: 'the log alone', open: one, program: 'log-subject', floor: 'floor-subject' },
  { name: 'sole', title: 'sole voter', open: one, program: 'sole-subject', floor: 'floor-subject' },
  { name: 'one', title: 'group of one', open: one, program: 'member-subject', floor: 'floor-subject' },
  { name: 'om', title: 'commitKey, 3 OMs', open: three, program: '../../om/bench/om-subject', floor: 'bare-three' },
  { name: 'three', title: 'three processes', open: three, program: 'member-subject', floor: 'bare-three' },
]

function isAsked(name: string): boolean {
  return flags.only === '' || flags.only.split(',').includes(name)
}

/** What a group does when something goes wrong. */
async function losses(): Promise<readonly Fact[]> {
  const ids = ['a', 'b', 'c']
  const firstPort = nextPort
  nextPort += ids.length
  for (const id of ids) await mkdir(join(directory, `losses-${id}`))
  const times = await measureLosses({
    losses: flags.quick ? 8 : 30,
    ids,
    start: (id) =>
      SubjectProcess.start({
        program: join(ownSources, 'member-subject.ts'),
        given: { bytes, directory: join(directory, `losses-${id}`), id, voters: ids, firstPort },
      }),
  })
  const at = (share: number): string => `${(times[Math.floor(times.length * share)] ?? 0).toFixed(0)} ms`
  return [
    [`the leader is killed, ${times.length} times: to the next commit, p50`, at(0.5)],
    ['  p99', at(0.99)],
  ]
}

async function deadFollower(): Promise<readonly Fact[]> {
  const processes = await three('member-subject', ownSources, { bytes: 1024 })
  const seconds = 2
  const rounds = flags.quick ? 6 : 30
  const found = await measureDeadFollower({ processes, rounds, load: { ...load, seconds } })
  await stopAll()
  const figure = (megabytes: number): string => `${megabytes.toFixed(0)} MB`
  return [
    ['memory of a leader under load, 1 KiB each, with all followers', figure(found.beforeMB)],
    [
      `  one follower dead for ${rounds * seconds} s and ${found.writes} commits: first half`,
      figure(found.firstHalfMB),
    ],
    ['  second half', figure(found.secondHalfMB)],
  ]
}

/** An OM with so many keys is killed and started again; it serves when it has committed one more. */
async function restart(): Promise<readonly Fact[]> {
  const keys = flags.quick ? 50_000 : 1_000_000
  const home = join(directory, 'restart')
  await mkdir(home)
  const begin = (): Promise<SubjectProcess> =>
    SubjectProcess.start({
      program: join(ownSources, '../../om/bench/om-subject.ts'),
      given: { directory: home, id: 'a', voters: ['a'], preferred: 'a', firstPort: nextPort++ },
    })
  const first = await begin()
  let written = 0
  while (written < keys) written += (await first.measure({ writers: 1024, seconds: 2 })).writes
  await first.kill()
  const startMs = performance.now()
  const second = await begin()
  await second.write(1)
  const tookMs = performance.now() - startMs
  await second.stop()
  return [[`an OM with ${written} keys is killed: to its next commit`, `${tookMs.toFixed(0)} ms`]]
}

type Fact = readonly [what: string, figure: string]

function openFloor({ open, program, floor }: Case): Promise<Processes> {
  return flags.against === undefined ? open(floor) : open(program, join(flags.against, 'ratis/bench'))
}

async function stopAll(): Promise<void> {
  const processes = running
  running = []
  await Promise.all(processes.map((each) => each.stop()))
}

/** The runtime compiles what is hot while it runs: the first seconds are not what a server does all day. */
async function warmUp(processes: Processes): Promise<void> {
  await processes[0]?.measure({ ...load, seconds: Number(flags.warm) })
}

async function profile(into: string, name: string, processes: Processes): Promise<void> {
  await mkdir(into, { recursive: true })
  for (const [at, each] of processes.entries()) {
    await each.profile(join(into, `${name}-${at === 0 ? 'leader' : `follower-${at}`}.cpuprofile`))
  }
}

const headings = ['', 'commits/s', 'ratio', 'p99 ms', 'CPU µs', 'others', '/sync', 'sends']

function linesOf({ name, contest: { own, floor } }: Row): (readonly Cell[])[] {
  if (floor === undefined) return [lineOf(name, own, undefined)]
  return [lineOf(name, own, own.perSecond / floor.perSecond), lineOf('  its floor', floor, undefined)]
}

function lineOf(name: string, outcome: Outcome, ratio: number | undefined): readonly Cell[] {
  const { perSecond, p99Ms, leaderCpuUs, followerCpuUs, writesPerSync, sends } = outcome
  return [name, perSecond, ratio, p99Ms, leaderCpuUs, followerCpuUs, writesPerSync, sends * writesPerSync]
}

const rows: Row[] = []
const facts: Fact[] = []
try {
  process.stdout.write(`${load.writers} in flight, ${bytes} bytes, the best of ${rounds} rounds of ${load.seconds} s\n`)
  for (const each of cases) {
    const { name, title, open, program } = each
    if (!isAsked(name)) continue
    const floor = await openFloor(each)
    const own = await open(program)
    if (flags.profile !== undefined) await profile(flags.profile, name, own)
    await warmUp(own)
    await warmUp(floor)
    const row = { name: title, contest: await contest(own, floor, { load, rounds }) }
    rows.push(row)
    await stopAll()
    process.stdout.write(`${table(headings, linesOf(row))}\n`)
  }
  if (isAsked('losses')) facts.push(...(await losses()))
  if (isAsked('dead')) facts.push(...(await deadFollower()))
  if (isAsked('restart')) facts.push(...(await restart()))
  const text = table(headings, rows.flatMap(linesOf))
  const more = facts.length === 0 ? '' : `\n${table(['when something goes wrong', 'figure'], facts)}`
  process.stdout.write(`\n${text}${more}`)
  if (flags.save) await saveSection(`${text}${more}`)
} finally {
  await stopAll()
  await rm(directory, { recursive: true })
}
