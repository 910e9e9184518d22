/** OM and SCM in threes, as a user runs them: whatever one process suffers, no request notices. */

import { randomBytes } from 'node:crypto'
import { cp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clusterStatus } from '@o3/cluster/local'
import type { ProcessStatus } from '@o3/cluster/local'
import { nodeEnv } from '@o3/common/env/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { o3, startServing, temporaryDirectory, words } from './launcher.ts'
import type { Ran, Started } from './launcher.ts'
import { s3Of } from './s3-of.ts'
import type { AskS3 } from './s3-of.ts'

/** Not how long they take: a machine that has other things to do is slow, and a test is not to fail of that. */
const longMs = 300_000

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let data: string
let running: Started
let s3: AskS3

beforeAll(async () => {
  directory = await temporaryDirectory()
  data = join(directory.path, 'cluster')
  const shape = words('--om 3 --scm 3 --datanodes 1 --s3-port 0 --set om.segment=1MiB')
  running = await startServing(['cluster', 'start', '--data', data, ...shape])
  s3 = await s3Of(data)
  expect((await s3('PUT', '/threes')).status).toBe(200)
}, 60_000)

afterAll(async () => {
  running.signal('SIGTERM')
  await running.ended
  await directory.remove()
})

const run = (line: string): Promise<Ran> => o3([...words(line), '--data', data], { cwd: directory.path })

/** Asked from here: each command that looks would take CPU from what is waited for. */
async function processes(): Promise<readonly ProcessStatus[]> {
  return (await clusterStatus(nodeEnv(), data)).processes
}

async function leaders(role: string): Promise<readonly ProcessStatus[]> {
  return (await processes()).filter((each) => each.role === role && each.leader === true)
}

interface Member {
  readonly id: string
  readonly address: string
  readonly role: string
  readonly state: string
  readonly lag?: number
  readonly problem?: string
}

async function members(group: string): Promise<readonly Member[]> {
  return (await run(`admin ${group} roles --json`)).json() as unknown as readonly Member[]
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const endMs = performance.now() + 30_000; performance.now() < endMs;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  throw new Error(`it did not come to this: ${what}`)
}

/** Ends the process, and waits until its supervisor has it back. */
async function restart(each: ProcessStatus, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const pid = pidOf(each)
  process.kill(pid, signal)
  await until(`${each.id} is back`, async () => {
    const now = (await processes()).find(({ id }) => id === each.id)
    return now?.state === 'up' && now.pid !== pid ? true : undefined
  })
}

/** Never 0: that would be the tests themselves. */
function pidOf(each: ProcessStatus | undefined): number {
  if (each?.pid === undefined) throw new Error(`${each?.id} has no process`)
  return each.pid
}

const sizes = [1000, 30_000, 1_200_000]

/** Writes and reads while `work` goes on. No answer but the right one is forgiven, not even once. */
async function underLoad(name: string, work: () => Promise<void>): Promise<void> {
  const written = new Map<string, Buffer>()
  const failures: string[] = []
  let isOver = false
  const client = async (number: number): Promise<void> => {
    for (let count = 0; !isOver; count++) {
      const path = `/threes/${name}/${number}-${count}`
      const body = randomBytes(sizes[count % sizes.length] ?? 0)
      const { status } = await s3('PUT', path, new Uint8Array(body))
      if (status === 200) written.set(path, body)
      else failures.push(`PUT ${path}: ${status}`)
      await expectSame(path, body)
    }
  }
  const expectSame = async (path: string, body: Buffer): Promise<void> => {
    const answer = await s3('GET', path)
    const bytes = Buffer.from(await answer.bytes())
    if (!bytes.equals(body)) failures.push(`GET ${path}: ${answer.status}, ${bytes.length} bytes`)
  }
  const clients = Promise.all(Array.from({ length: 3 }, (_, number) => client(number)))
  try {
    await work()
  } finally {
    isOver = true
    await clients
  }
  for (const [path, body] of written) await expectSame(path, body)
  expect(failures).toEqual([])
  expect(written.size).toBeGreaterThan(3)
}

test('each group has one leader', async () => {
  const said = (await run('cluster status --json')).json().filter(({ leader }) => leader === true)
  expect(said.map(({ role }) => String(role)).toSorted()).toEqual(['om', 'scm'])
  const roles = (await members('om')).map(({ role }) => role)
  expect(roles.toSorted()).toEqual(['leader', 'voter', 'voter'])
})

test('each of the six is restarted in turn, and no request fails', { timeout: longMs }, async () => {
  await underLoad('rolling', async () => {
    for (const each of await processes()) if (each.role === 'om' || each.role === 'scm') await restart(each, 'SIGTERM')
  })
})

test('the leaders are killed, and no request fails', { timeout: longMs }, async () => {
  await underLoad('kill', async () => {
    for (const role of ['om', 'scm']) {
      const leader = await until(`somebody leads ${role}`, async () => (await leaders(role))[0])
      await restart(leader, 'SIGKILL')
    }
  })
})

async function someFollower(): Promise<ProcessStatus> {
  return until('a member follows', async () => {
    return (await processes()).find(({ role, leader }) => role === 'om' && leader === false)
  })
}

/** Changes the directory of a member as a disk does that was lost: between two lives of its process. */
async function spoil(id: string, change: (directory: string) => Promise<void>): Promise<void> {
  const serving = await until(`${id} runs`, async () => {
    return (await processes()).find((each) => each.id === id && each.state === 'up')
  })
  const pid = pidOf(serving)
  process.kill(pid, 'SIGSTOP')
  await change(join(data, id))
  process.kill(pid, 'SIGKILL')
}

async function untilWhole(id: string): Promise<void> {
  await until('it votes, and lacks nothing', async () => {
    const found = (await members('om')).find((member) => member.id === id)
    const isWhole = found?.role === 'voter' && found.problem === undefined
    return isWhole && found.lag !== undefined && found.lag < 100 ? true : undefined
  })
}

test('an old copy of a directory, and an empty one, are filled by the others', { timeout: longMs }, async () => {
  const follower = await someFollower()
  const [{ id }, pid] = [follower, pidOf(follower)]
  const copy = join(directory.path, 'copy')
  process.kill(pid, 'SIGSTOP')
  await cp(join(data, id), copy, { recursive: true })
  process.kill(pid, 'SIGCONT')
  await underLoad('old', async () => {
    await untilWhole(id)
    await spoil(id, async (home) => {
      await rm(home, { recursive: true })
      await rename(copy, home)
    })
    await untilWhole(id)
    await spoil(id, (home) => rm(home, { recursive: true }))
    await untilWhole(id)
  })
})

test('a member whose rows are damaged takes them from the others', { timeout: longMs }, async () => {
  const { id } = await someFollower()
  await underLoad('damaged', async () => {
    await spoil(id, (home) => overwriteRows(join(home, 'om')))
    await untilWhole(id)
  })
})

/** The key-value store is `db`, and after a snapshot was received another. */
async function overwriteRows(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((each) => each.startsWith('db'))) {
    const store = join(directory, name)
    for (const file of await readdir(store)) await writeFile(join(store, file), 'not what was written here')
  }
}

test('an administrator moves the lead, and members out and in', { timeout: longMs }, async () => {
  const follower = await until('a member follows', async () => {
    return (await members('om')).find(({ role }) => role === 'voter')
  })
  const { pid = 0 } = (await processes()).find(({ id }) => id === follower.id) ?? {}
  await underLoad('admin', async () => {
    const { id, address } = follower
    expect((await run(`admin om transfer --to ${id} --json`)).json()).toMatchObject([{ leader: id }])
    // The leader itself: another one leads before it goes.
    expect(await run(`admin om remove ${id}`)).toMatchObject({ code: 0 })
    expect((await members('om')).map((member) => member.id)).not.toContain(id)
    expect((await run('admin om snapshot --json')).json()).toHaveLength(2)
    // Its process has been running all the time. When it ends, nobody starts it again before it is taken in.
    process.kill(pid, 'SIGTERM')
    const farewell = `${id} is no longer in the cluster file`
    await until(farewell, () => Promise.resolve(running.said().includes(farewell) ? true : undefined))
    expect(await run(`admin om add ${id}=${address}`)).toMatchObject({ code: 0, out: `${id} votes in om\n` })
    expect((await members('om')).map(({ role }) => role).toSorted()).toEqual(['leader', 'voter', 'voter'])
  })
  expect((await processes()).filter(({ role, state }) => role === 'om' && state === 'up')).toHaveLength(3)
})

test.each([
  ['admin om transfer --to om9', 2, /om9 is no voter of the group/],
  ['admin om remove om9', 2, /om has no member om9/],
  ['admin om add om9', 2, /is not of the form id=host:port/],
  ['admin om add om9=0.0.0.0:9', 2, /is no address at which/],
  ['admin scm snapshot --id scm9', 2, /scm has no member scm9/],
])('%s is refused in a sentence', async (line, code, sentence) => {
  expect(await run(line)).toMatchObject({ code, err: expect.stringMatching(sentence) })
})

test('two of three are not left alone', { timeout: longMs }, async () => {
  const [leader] = await until('somebody leads scm', async () => {
    const found = await leaders('scm')
    return found.length === 1 ? found : undefined
  })
  const [first, second] = (await processes()).filter(({ role, id }) => role === 'scm' && id !== leader?.id)
  process.kill(pidOf(first), 'SIGSTOP')
  try {
    const refused = await until('its silence is noticed', async () => {
      const outcome = await run(`admin scm remove ${second?.id}`)
      return outcome.code === 0 ? undefined : outcome
    })
    expect(refused.err).toMatch(/without scm\d the group could not decide anything/)
  } finally {
    process.kill(pidOf(first), 'SIGCONT')
  }
})

test('Ctrl-C stops all of it, whole', { timeout: longMs }, async () => {
  running.signal('SIGINT')
  expect(await running.ended).toBe(0)
})
