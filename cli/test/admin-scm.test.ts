/** What an administrator does about datanodes and containers, against a cluster of real processes, as it is seen on a terminal. */

import { createHash, randomBytes } from 'node:crypto'
import { access, open, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ScmControl, clusterFileIn } from '@o3/cluster/admin'
import { clusterStatus } from '@o3/cluster/local'
import { nodeEnv } from '@o3/common/env/node'
import { isStoreError } from '@o3/common/errors'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { o3, startServing, temporaryDirectory, words } from './launcher.ts'
import type { Ran, Started } from './launcher.ts'
import { s3Of } from './s3-of.ts'
import type { AskS3 } from './s3-of.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let data: string
let running: Started
let s3: AskS3
let control: ScmControl

beforeAll(async () => {
  directory = await temporaryDirectory()
  data = join(directory.path, 'c')
  expect(await at('cluster init --om 1 --scm 1 --datanodes 5 --racks 3 --s3-port 0')).toMatchObject({ code: 0 })
  await changeCluster(({ datanodes, gateways: [gateway] }) => {
    for (const each of datanodes) if (each.id === 'dn4') each.disks = ['disks/dn4-a', 'disks/dn4-b']
    if (gateway !== undefined) gateway.rack = '/rack1'
  })
  const settings = words('--set scm.containerSize=16MiB --set om.segment=1MiB')
  running = await startServing(['cluster', 'start', '--data', data, ...settings])
  s3 = await s3Of(data)
  control = await ScmControl.open(nodeEnv(), clusterFileIn(data))
  expect((await s3('PUT', '/verbs')).status).toBe(200)
  await putSome('first')
}, 60_000)

afterAll(async () => {
  control.close()
  running.signal('SIGTERM')
  await running.ended
  await directory.remove()
}, 60_000)

interface ClusterFile {
  readonly datanodes: readonly { readonly id: string; disks: string[] }[]
  readonly gateways: readonly { rack?: string }[]
}

async function changeCluster(change: (cluster: ClusterFile) => void): Promise<void> {
  const file = join(data, 'cluster.json')
  const cluster = JSON.parse(await readFile(file, 'utf8')) as ClusterFile
  change(cluster)
  await writeFile(file, JSON.stringify(cluster))
}

// ------------------------------------------------------------------------------------------------------------- commands

const at = (line: string): Promise<Ran> => o3([...words(line), '--data', data], { cwd: directory.path })
const admin = (line: string): Promise<Ran> => at(`admin ${line}`)

/** Each line of the answer, as a program reads it. */
async function asked<T>(line: string): Promise<readonly T[]> {
  const ran = await admin(`${line} --json`)
  expect(ran).toMatchObject({ code: 0 })
  return (ran.out === '' ? [] : ran.json()) as unknown as readonly T[]
}

const lookAgainMs = 200

async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  detail = (): Promise<string> => Promise.resolve(''),
): Promise<T> {
  for (const endMs = performance.now() + 60_000; performance.now() < endMs;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
  }
  throw new Error(`it did not come to this: ${what} ${await detail()}`)
}

interface Datanode {
  readonly id: string
  readonly health: string
  readonly operational: string
  readonly containers: number
}

async function datanode(id: string): Promise<Datanode> {
  const [found] = await asked<Datanode>(`datanode info ${id}`)
  if (found === undefined) throw new Error(`no ${id}`)
  return found
}

// What is waited for is asked from here: a command takes a third of a second of CPU, and some waits look a hundred times.

type Containers = Awaited<ReturnType<ScmControl['scm']['listContainers']>>

const containers = (): Promise<Containers> => control.scm.listContainers({ limit: 1000 })

async function isWhole(): Promise<boolean> {
  const { states, healths, tasks, settled } = await control.scm.replicationReport()
  const ill = healths.some(({ health, containers: count }) => health !== 'HEALTHY' && count > 0)
  return settled && tasks === 0 && !ill && states.OPEN + states.CLOSING + states.DELETING === 0
}

/** SCM may have closed it meanwhile, or be about to have another leader: then it is asked again. */
async function close(id: number): Promise<void> {
  try {
    await control.scm.closeContainer(id)
  } catch (error) {
    if (!isStoreError(error)) throw error
  }
}

async function processOf(id: string): Promise<{ readonly pid?: number; readonly problem?: string } | undefined> {
  const { processes } = await clusterStatus(nodeEnv(), data)
  return processes.find((each) => each.id === id)
}

/** Nothing is open any more, and each container has three good replicas. */
async function allWhole(): Promise<void> {
  await until(
    'all containers are closed and healthy',
    async () => {
      for (const { id, state } of await containers()) if (state === 'OPEN') await close(id)
      return (await isWhole()) ? true : undefined
    },
    howItStands,
  )
}

async function howItStands(): Promise<string> {
  const lines = ['container report', 'container list', 'datanode list']
  for (const { id } of await containers()) lines.push(`container info ${id}`)
  const said: string[] = []
  for (const line of lines) said.push((await admin(line)).out)
  return said.join('\n')
}

async function pidOf(id: string): Promise<number> {
  return Number((await processOf(id))?.pid)
}

/** It does not come back: there is a file in the place of its directory. */
async function killForGood(id: string): Promise<void> {
  const pid = await pidOf(id)
  process.kill(pid, 'SIGSTOP')
  await rename(join(data, id), join(data, `${id}.gone`))
  await writeFile(join(data, id), '')
  process.kill(pid, 'SIGKILL')
}

// ----------------------------------------------------------------------------------------------------------------- data

const sizes = [1_000, 100_000, 3_000_000, 6_000_000, 6_000_000, 6_000_000]
const written = new Map<string, string>()
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function putSome(name: string): Promise<void> {
  for (const [n, size] of sizes.entries()) await putOne(`${name}-${n}`, size)
}

async function putOne(name: string, size: number): Promise<Uint8Array> {
  const body = new Uint8Array(randomBytes(size))
  expect((await s3('PUT', `/verbs/${name}`, body)).status).toBe(200)
  written.set(`/verbs/${name}`, digestOf(body))
  return body
}

/** A file of a container, and where some bytes of a block are in it. */
interface Place {
  readonly container: number
  readonly disk: string
  readonly file: string
  readonly offset: number
}

/** At all of these datanodes that have the block; one may have it only when its log has come that far. */
async function placesOf(bytes: Uint8Array, datanodes: readonly string[]): Promise<readonly Place[]> {
  const look = async (): Promise<readonly Place[]> => {
    const disks = datanodes.flatMap((id) => [
      join(data, id, 'disk'),
      ...['a', 'b'].map((n) => join(data, 'disks', `${id}-${n}`)),
    ])
    const places: Place[] = []
    for (const disk of disks) {
      for (const name of await readdir(join(disk, 'containers')).catch(emptyWhereMissing)) {
        const file = join(disk, 'containers', name)
        const offset = (await readFile(file)).indexOf(bytes.subarray(1_000, 1_032))
        if (offset > 0) places.push({ container: Number(name.split('.')[0]), disk, file, offset })
      }
    }
    return places
  }
  const held = async (): Promise<readonly string[]> => {
    const [{ container } = { container: 0 }] = await look()
    return (await containers()).find(({ id }) => id === container)?.datanodes ?? []
  }
  return await until('the block is in all its files', async () => {
    const wanted = (await held()).filter((id) => datanodes.includes(id)).length
    const places = await look()
    return places.length > 0 && places.length === wanted ? places : undefined
  })
}

async function areAside(places: readonly Place[]): Promise<readonly boolean[]> {
  return await Promise.all(
    places.map(async ({ disk, container }) => {
      const names = await readdir(join(disk, 'quarantine')).catch(emptyWhereMissing)
      return names.some((name) => name.startsWith(`${container}.`))
    }),
  )
}

async function gatewayCounted(name: string): Promise<number> {
  const { admin: endpoint } = JSON.parse(await readFile(join(data, 'gw1', 'endpoints.json'), 'utf8')) as {
    admin: string
  }
  const text = await (await fetch(new URL('/metrics', endpoint))).text()
  return Number(new RegExp(`^o3_hdds_client_${name}_total (\\d+)$`, 'm').exec(text)?.[1])
}

async function expectAll(): Promise<void> {
  for (const [path, digest] of written) {
    const answer = await s3('GET', path)
    expect([path, answer.status, digestOf(await answer.bytes())]).toEqual([path, 200, digest])
  }
}

// ----------------------------------------------------------------------------------------------------------------- tests

describe.concurrent('what there is to see', () => {
  test.each([
    ['datanode list', /^HEALTH +STATE +REPLICAS +DISKS +USED +FREE +RACK +ID\nHEALTHY +IN_SERVICE +\d+ +1 /],
    ['datanode info dn1', /^datanode +dn1\naddress .*\nrack +\/rack1\nhealth +HEALTHY\n/],
    ['container list', /^ *ID +STATE +REPLICATION +USED +LIVE +REPLICAS\n *1 +(OPEN|CLOS\w+) +RATIS\/THREE /],
    ['container info 1', /^container +1\n[^]*\nREPLICA +STATE +NODE +BLOCKS +LIVE +CONTENT +DATANODE\nheld /],
    ['container report', /^HEALTHY +\d+\n/],
    ['pipeline list', /^ID +STATE +LEADER +READY +OPEN +CREATED +MEMBERS\npipeline-1 +OPEN +dn\d +3\/3 /],
    ['balancer status', /^balancer +on, /],
    ['safemode status', /^safemode +off\nrepairs +on\n$/],
    ['safemode wait', /^safemode is off\n$/],
    ['scm deleted-blocks', /^transactions +\d+\nblocks +\d+\n/],
    ['summary', /^space +.* free\n/],
  ])('admin %s', async (line, expected) => {
    const { code, out } = await admin(line)
    expect(out).toMatch(expected)
    expect(code).toBe(0)
    // Names come last, and may be as long as they are: those of disks are.
    const wide = out.split('\n').filter((each) => each.length > 80 && !each.startsWith('disk '))
    expect(wide).toEqual([])
  })

  test.each<readonly [string, object]>([
    ['datanode list', { id: 'dn1', health: 'HEALTHY', operational: 'IN_SERVICE', rack: '/rack1' }],
    ['datanode info dn3', { id: 'dn3', disks: [{ state: 'healthy' }], rack: '/rack3' }],
    ['container list --limit 1', { id: 1, replication: 'RATIS/THREE' }],
    ['container info 1', { info: { id: 1 }, replicas: [{ standing: 'held' }, {}, {}] }],
    ['container report', { healths: expect.any(Array) as unknown, counts: { MISSING: 0, UNHEALTHY: 0 } }],
    ['pipeline list', { id: 'pipeline-1', state: 'OPEN', membersReady: 3 }],
    ['balancer status', { on: true, movesUnderWay: 0 }],
    ['safemode status', { on: false, reasons: [], repairs: true }],
    ['safemode wait', { on: false }],
    ['safemode exit', { on: false }],
    ['scm deleted-blocks', { transactions: 0, waitingFor: [] }],
  ])('admin %s --json', async (line, expected) => {
    expect((await asked(line))[0]).toMatchObject(expected)
  })

  test('admin container verify', async () => {
    const id = (await containers()).find(({ usedBytes }) => usedBytes > 0)?.id
    expect(await admin(`container verify ${id}`)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^REPLICA +DATANODE +FOUND\n(verified +dn\d\n){3}$/) as unknown,
      err: expect.stringMatching(/^(reading the replica at dn\d\n){3}$/) as unknown,
    })
    const verified = { verified: true, findings: [] }
    expect(await asked(`container verify ${id}`)).toMatchObject([verified, verified, verified])
  })

  test('the cluster file does where it is elsewhere', async () => {
    const { code, out } = await o3(words(`admin datanode list --cluster ${join(data, 'cluster.json')}`))
    expect({ code, lines: out.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 6 })
  })

  test('every datanode is written to', async () => {
    const pipelines = await until('all pipelines are open', async () => {
      const found = await control.scm.listPipelines()
      return found.every(({ state }) => state === 'OPEN') ? found : undefined
    })
    expect(new Set(pipelines.flatMap(({ members }) => members)).size).toBe(5)
  })
})

test.concurrent.each([
  ['datanode info dn9', 2, /there is no datanode dn9; there are dn1, dn2, dn3, dn4, dn5/],
  ['datanode decommission dn9', 2, /there is no datanode dn9/],
  ['datanode maintenance dn9', 2, /there is no datanode dn9/],
  ['datanode recommission dn9', 2, /there is no datanode dn9/],
  ['datanode maintenance dn1 --for soon', 2, /--for soon: write a duration, like 4h/],
  ['datanode decommission', 2, /missing required argument/],
  ['container info 999', 3, /there is no container 999/],
  ['container info x', 2, /the id is a whole number/],
  ['container info 0', 2, /begin with 1/],
  ['container close 999', 3, /there is no container 999/],
  ['container verify 999', 3, /there is no container 999/],
  ['container list --limit many', 2, /--limit/],
  ['pipeline close pipeline-999', 2, /there is no pipeline pipeline-999/],
  ['datanode list --cluster nowhere.json', 2, /nowhere\.json/],
])('admin %s is refused in a sentence', async (line, code, sentence) => {
  expect(await admin(line)).toMatchObject({ code, out: '', err: expect.stringMatching(sentence) as unknown })
})

test('the balancer is stopped and started', async () => {
  expect(await admin('balancer stop')).toMatchObject({
    code: 0,
    out: expect.stringContaining('is off until') as unknown,
  })
  expect(await asked('balancer status')).toMatchObject([{ on: false }])
  expect((await admin('balancer status')).out).toMatch(/^balancer +off\n/)
  expect(await asked('balancer start')).toEqual([{ on: true }])
  expect(await asked('balancer status')).toMatchObject([{ on: true }])
})

test('a container is closed, once', { timeout: 60_000 }, async () => {
  await putOne('closing', 100_000)
  const full = await until('one has blocks', async () => {
    return (await containers()).find(({ state, usedBytes }) => state === 'OPEN' && usedBytes > 0)
  })
  expect(await admin(`container close ${full.id}`)).toMatchObject({
    code: 0,
    out: `container ${full.id} is being closed\n`,
  })
  await until('it is closed', async () => {
    return (await containers()).find(({ id }) => id === full.id)?.state === 'CLOSED' ? true : undefined
  })
  expect(await asked(`container close ${full.id}`)).toEqual([{ id: full.id, state: 'CLOSED' }])
})

test('a pipeline is closed, and another one takes its place', { timeout: 60_000 }, async () => {
  expect(await asked('pipeline close pipeline-1')).toEqual([{ id: 'pipeline-1', state: 'CLOSED' }])
  await until('it has gone, and all are members of others', async () => {
    const found = await control.scm.listPipelines()
    const isDone = found.every(({ id, state }) => id !== 'pipeline-1' && state === 'OPEN')
    return isDone && new Set(found.flatMap(({ members }) => members)).size === 5 ? true : undefined
  })
  await putSome('second')
  await expectAll()
})

test('a flipped byte is found, and its replica replaced and set aside', { timeout: 120_000 }, async () => {
  await allWhole()
  const [found] = await containers()
  const id = found?.id ?? 0
  // dn4 has two disks.
  const holder = found?.datanodes.find((each) => each !== 'dn4') ?? ''
  const disk = join(data, holder, 'disk')
  await flip(join(disk, 'containers'), id)
  const verified = await admin(`container verify ${id}`)
  expect(verified).toMatchObject({
    code: 1,
    out: expect.stringMatching(
      new RegExp(`^DAMAGED +${holder} +block \\d+, bytes \\d+ to \\d+: damaged$`, 'm'),
    ) as unknown,
    err: expect.stringContaining(`1 of the 3 replicas of container ${id} is damaged\ntry: nothing`) as unknown,
  })
  await until('the damaged file is set aside', async () => {
    const names = await readdir(join(disk, 'quarantine')).catch(emptyWhereMissing)
    return names.some((name) => name.startsWith(`${id}.`)) ? true : undefined
  })
  await allWhole()
  expect((await admin(`container verify ${id}`)).code).toBe(0)
  await expectAll()
})

test(
  'a byte that rots in an open container is found by a GET of its rack, and not served',
  { timeout: 120_000 },
  async () => {
    const body = await putOne('rotting', 100_000)
    // The gateway stands in this rack, and each container has a replica there, or two.
    const places = await placesOf(body, ['dn1', 'dn4'])
    for (const { file, offset } of places) await flipAt(file, offset)
    const before = await gatewayCounted('bad_replicas')
    await until('it is found', async () => {
      const answer = await s3('GET', '/verbs/rotting')
      expect(digestOf(await answer.bytes())).toBe(digestOf(body))
      return (await gatewayCounted('bad_replicas')) > before ? true : undefined
    })
    await until('a damaged file is set aside', async () => ((await areAside(places)).includes(true) ? true : undefined))
    await allWhole()
    // Where there are two the other one need not have been asked.
    for (const { container } of places) await admin(`container verify ${container}`)
    await until('all are set aside', async () => ((await areAside(places)).includes(false) ? undefined : true))
    await allWhole()
    for (const { container } of places) expect((await admin(`container verify ${container}`)).code).toBe(0)
    await expectAll()
  },
)

/** One byte in the middle of the file of a container. */
async function flip(place: string, id: number): Promise<void> {
  const name = (await readdir(place)).find((each) => each.startsWith(`${id}.`))
  await flipAt(join(place, name ?? ''), 500)
}

async function flipAt(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(1), 0, 1, offset)
    expect(bytesRead).toBe(1)
    await file.write(Uint8Array.of((buffer[0] ?? 0) ^ 0x10), 0, 1, offset)
  } finally {
    await file.close()
  }
}

/** Also where a file is in the place of a datanode that was killed for good. */
function emptyWhereMissing(error: NodeJS.ErrnoException): readonly string[] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
  throw error
}

test('a datanode goes on without a disk that has died, and takes it back', { timeout: 120_000 }, async () => {
  const disk = join(data, 'disks', 'dn4-b')
  const pid = await pidOf('dn4')
  process.kill(pid, 'SIGSTOP')
  await rename(disk, `${disk}.pulled`)
  process.kill(pid, 'SIGKILL')
  const unmounted = /the disk .*dn4-b is left out: it has no VERSION file: it is not mounted/
  await until('it is back without', async () => {
    return unmounted.test((await processOf('dn4'))?.problem ?? '') ? true : undefined
  })
  expect((await at('cluster status')).out).toMatch(new RegExp(` dn4 .*${unmounted.source}`))
  expect((await admin('datanode list')).out).toMatch(/^HEALTHY +IN_SERVICE +\d+ +1\/2 .* dn4$/m)
  expect((await admin('datanode info dn4')).out).toMatch(
    /^disk +.*dn4-b\n +FAILED\n +it has no VERSION file: it is not/m,
  )
  await expectAll()
  await allWhole()
  await rename(`${disk}.pulled`, disk)
  // Now it is there, and fails when it is opened.
  const identity = await readFile(join(disk, 'VERSION'))
  await writeFile(join(disk, 'VERSION'), new Uint8Array(identity.length))
  process.kill(await pidOf('dn4'), 'SIGTERM')
  await until('it is back without it', async () => {
    const { problem = '' } = (await processOf('dn4')) ?? {}
    return /the disk .*dn4-b is left out: VERSION is not readable/.test(problem) ? true : undefined
  })
  expect((await admin('datanode info dn4')).out).toMatch(/^disk +.*dn4-b\n +FAILED\n +VERSION is not readable$/m)
  await expectAll()
  await allWhole()
  await writeFile(join(disk, 'VERSION'), identity)
  process.kill(await pidOf('dn4'), 'SIGTERM')
  await until('both are there', async () => {
    return /^HEALTHY +IN_SERVICE +\d+ +2 .* dn4$/m.test((await admin('datanode list')).out) ? true : undefined
  })
  await allWhole()
  await expectAll()
})

test('a datanode rests, and is back', { timeout: 60_000 }, async () => {
  const rests = await admin('datanode maintenance dn3 --for 4h')
  expect(rests).toMatchObject({ code: 0, out: 'dn3 is IN_MAINTENANCE; its process can be stopped\n' })
  expect(rests.err).toMatch(/^maintenance: dn3 leaves; that goes on when this command is interrupted$/m)
  expect((await admin('datanode info dn3')).out).toMatch(/^state +IN_MAINTENANCE\nuntil +20\d\d-/m)
  expect((await admin('datanode list')).out).toMatch(/^HEALTHY +IN_MAINTENANCE .* dn3$/m)
  await expectAll()
  expect(await admin('datanode recommission dn3')).toMatchObject({ code: 0, out: 'dn3 is in service\n' })
  expect(await datanode('dn3')).toMatchObject({ operational: 'IN_SERVICE' })
})

test('a datanode with data leaves for good, and nothing of it is missed', { timeout: 120_000 }, async () => {
  await allWhole()
  // Each container has a replica in each of the three racks; these two are the first.
  const leaver = (await datanode('dn1')).containers > 0 ? 'dn1' : 'dn4'
  expect((await datanode(leaver)).containers).toBeGreaterThan(0)
  const left = await admin(`datanode decommission ${leaver}`)
  expect(left).toMatchObject({ code: 0, out: `${leaver} is DECOMMISSIONED; its process can be stopped\n` })
  expect(left.err).toMatch(/^decommission: ((\d+ of )?\d+ containers? left|DECOMMISSIONING, )/m)
  await killForGood(leaver)
  await expectAll()
  for (const { id } of await containers()) {
    const [found] = await asked<{ replicas: readonly { standing: string; datanode: string }[] }>(`container info ${id}`)
    const others = found?.replicas.filter((each) => each.standing === 'held' && each.datanode !== leaver) ?? []
    expect(others.length).toBeGreaterThanOrEqual(3)
  }
})

test('what is needed does not leave, but by force', { timeout: 120_000 }, async () => {
  const left = await asked('datanode decommission dn5')
  expect(left).toEqual([{ id: 'dn5', operational: 'DECOMMISSIONED' }])
  const refused = await admin('datanode decommission dn3')
  expect(refused).toMatchObject({ code: 2, out: '' })
  expect(refused.err).toMatch(/need 3 datanodes in service, and without dn3 there are 2\ntry: .*--force/)
  expect(await asked('datanode decommission dn3 --force --no-wait')).toEqual([
    { id: 'dn3', operational: 'DECOMMISSIONING' },
  ])
  await until('it is said what waits', async () => {
    return /^leaving +\d+ containers? left/m.test((await admin('datanode info dn3')).out) ? true : undefined
  })
  expect((await admin('datanode recommission dn3')).code).toBe(0)
  expect(await datanode('dn3')).toMatchObject({ operational: 'IN_SERVICE' })
})

test('a datanode that is gone for good is seen, and made up for', { timeout: 120_000 }, async () => {
  await until('there is a pipeline of the three that are left', async () => {
    const found = await control.scm.listPipelines()
    return found.find(({ state, leader }) => state === 'OPEN' && leader !== undefined)
  })
  await putSome('third')
  await allWhole()
  await killForGood('dn2')
  const lacking = await until('copies are missing', async () => {
    const found = await admin('container report')
    return /^UNDER_REPLICATED/m.test(found.out) ? found.out : undefined
  })
  expect(lacking).toMatch(/^UNDER_REPLICATED +\d+ {2}too few copies: more are made\n +\d+/m)
  expect((await admin('datanode list')).out).toMatch(/^DEAD +IN_SERVICE .* dn2$/m)
  await expectAll()
  expect((await admin('datanode recommission dn5')).code).toBe(0)
  await allWhole()
  await expectAll()
  // It is not expected back.
  expect(await asked('datanode decommission dn2')).toEqual([{ id: 'dn2', operational: 'DECOMMISSIONED' }])
})

test('a new leader of SCM has reads served at once', { timeout: 60_000 }, async () => {
  const pid = await pidOf('scm1')
  process.kill(pid, 'SIGKILL')
  await expectAll()
  const [status] = await asked<{ on: boolean; reasons: readonly string[] }>('safemode status')
  expect(status?.reasons.length === 0).toBe(status?.on === false)
  expect(await admin('safemode exit')).toMatchObject({ code: 0, out: 'safemode is off until SCM has another leader\n' })
  await putSome('fourth')
  await expectAll()
})

test('an SCM that does not answer is named, with what to look at', { timeout: 60_000 }, async () => {
  const pid = await pidOf('scm1')
  process.kill(pid, 'SIGSTOP')
  try {
    const silent = await admin('datanode list')
    expect(silent).toMatchObject({ code: 1, out: '' })
    expect(silent.err).toMatch(/^o3: no leader of scm answered .* scm1: .*\ntry: `o3 cluster status` /)
    await access(join(data, 'scm1'))
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})

test('the only copy that rots is never served, and everybody sees it', { timeout: 120_000 }, async () => {
  const created = await at('sh bucket create /s3v/single --replication RATIS/ONE')
  expect(created).toMatchObject({ code: 0 })
  const body = new Uint8Array(randomBytes(100_000))
  expect((await s3('PUT', '/single/only', body)).status).toBe(200)
  const [place] = await placesOf(body, ['dn1', 'dn3', 'dn4', 'dn5'])
  if (place === undefined) throw new Error('there is one')
  const { container, file, offset } = place
  await flipAt(file, offset)
  expect((await s3('GET', '/single/only')).status).toBeGreaterThanOrEqual(500)
  const damage = /^damage at dn\d +block \d+\/\d+, bytes 0 to \d+: does not match its checksum$/m
  const shown = await until('it is closed, and damaged', async () => {
    const { out } = await admin(`container info ${container}`)
    return /^state +CLOSED$/m.test(out) && damage.test(out) ? out : undefined
  })
  expect(shown).toMatch(/^held +UNHEALTHY +HEALTHY /m)
  expect(await asked(`container info ${container}`)).toMatchObject([{ damages: [{ findings: [{ container }] }] }])
  const said = await until('it is judged', async () => {
    const { out } = await admin('container report')
    return /^UNHEALTHY/m.test(out) ? out : undefined
  })
  expect(said).toMatch(/^UNHEALTHY +1 {2}a damaged replica: it is replaced where others are whole\n +\d+$/m)
  expect(said.split('\n').filter((line) => line.length > 80)).toEqual([])
})
