/** A cluster on one machine, as a user starts it: a process per role, which die, come back and end together. */

import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { o3, startServing, temporaryDirectory, words } from './launcher.ts'
import type { Ran, Started } from './launcher.ts'
import { s3Of } from './s3-of.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let data: string
let running: Started | undefined

beforeAll(async () => {
  directory = await temporaryDirectory()
  data = join(directory.path, 'cluster')
})

afterAll(async () => {
  running?.signal('SIGTERM')
  await running?.ended
  await directory.remove()
})

const run = (line: string): Promise<Ran> => o3([...words(line), '--data', data], { cwd: directory.path })
const start = async (): Promise<Started> => {
  running = await startServing(['cluster', 'start', '--data', data, ...words('--s3-port 0 --set om.segment=1MiB')])
  return running
}

interface Process {
  readonly role: string
  readonly id: string
  readonly state: string
  readonly pid?: number
  readonly leader?: boolean
}

async function processes(): Promise<readonly Process[]> {
  return (await run('cluster status --json')).json() as unknown as readonly Process[]
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let left = 100; left > 0; left--) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`it did not come to this: ${what}`)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function noneOf(pids: readonly number[]): Promise<void> {
  await until(`none of ${pids.join(', ')} runs`, () => Promise.resolve(pids.some(isAlive) ? undefined : true))
}

async function s3(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
  return (await s3Of(data))(method, path, body)
}

async function put(path: string, body?: Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await s3('PUT', path, body)
  expect(`${answer.status} ${await answer.text()}`).toBe('200 ')
}

/** The digest of what is there: comparing megabytes is not what an assertion is good at. */
async function get(path: string): Promise<string | undefined> {
  const answer = await s3('GET', path)
  const body = await answer.bytes()
  return answer.status === 200 ? digestOf(body) : undefined
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A connection that is refused is an answer, too: the gateway is on its way. */
async function whenItComes<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

const small = new Uint8Array(randomBytes(1000))
const large = new Uint8Array(randomBytes(3_000_000))

describe('a cluster of one process per role', () => {
  let before: readonly Process[]

  test('is made and started by one command', { timeout: 60_000 }, async () => {
    const { said } = await start()
    expect(said()).toMatch(/^O3 is ready: S3 at http:\/\/127\.0\.0\.1:\d+\. /m)
    expect(said()).toMatch(/access key {2}\S+/)
    before = await processes()
    expect(before).toMatchObject([
      { role: 'scm', id: 'scm1', state: 'up', leader: true },
      { role: 'om', id: 'om1', state: 'up', leader: true },
      { role: 'datanode', id: 'dn1', state: 'up' },
      { role: 'gateway', id: 'gw1', state: 'up' },
    ])
    expect(new Set(before.map(({ pid }) => pid)).size).toBe(4)
  })

  test('keeps what is put', async () => {
    await put('/photos')
    await put('/photos/small', small)
    await put('/photos/large', large)
    expect(await get('/photos/small')).toBe(digestOf(small))
    expect(await get('/photos/large')).toBe(digestOf(large))
    const listed = await run('sh key list /s3v/photos --json')
    expect(listed.json().map(({ name }) => name)).toEqual(['large', 'small'])
  })

  test('makes a new key of block tokens when it is told to, and goes on', async () => {
    expect(await run('admin scm rotate-keys')).toMatchObject({ code: 0, out: expect.stringMatching(/^key 2 signs/) })
    await put('/photos/rotated', large)
    expect(await get('/photos/rotated')).toBe(digestOf(large))
  })

  test('is not started twice', async () => {
    const second = await run('cluster start')
    expect(second.code).toBe(1)
    expect(second.err).toMatch(/^o3: .*lock.* \d+/)
  })

  test.each(['scm1', 'om1', 'dn1', 'gw1'])('brings %s back when it is killed', { timeout: 60_000 }, async (id) => {
    const pid = before.find((each) => each.id === id)?.pid ?? 0
    process.kill(pid, 'SIGKILL')
    await until(`${id} is up again`, async () => {
      const now = (await processes()).find((each) => each.id === id)
      return now?.state === 'up' && now.pid !== pid ? now : undefined
    })
    expect(running?.said()).toContain(`${id} died (signal SIGKILL); it is started again in 0.2 s`)
    const back = await until('the bytes are there', () => whenItComes(() => get('/photos/large')))
    expect(back).toBe(digestOf(large))
    await until('bytes are taken', () =>
      whenItComes(async () => ((await s3('PUT', `/photos/after-${id}`, large)).ok ? true : undefined)),
    )
    expect(await get(`/photos/after-${id}`)).toBe(digestOf(large))
  })

  test('is stopped from elsewhere, whole', { timeout: 60_000 }, async () => {
    const pids = (await processes()).flatMap(({ pid }) => pid ?? [])
    expect(pids).toHaveLength(4)
    expect(await run('cluster stop')).toMatchObject({ code: 0, out: 'O3 has stopped.\n' })
    expect(await running?.ended).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
    const status = await run('cluster status --json')
    expect(status.err).toContain('is down')
    expect(status.json()).toMatchObject(before.map(({ id }) => ({ id, state: 'down' })))
    expect((await run('cluster stop')).out).toContain('no cluster runs')
  })

  test('has everything after a start, and leaves nobody when its parent is killed', { timeout: 60_000 }, async () => {
    await start()
    expect(running?.said()).toContain('the secret is in')
    expect(await get('/photos/large')).toBe(digestOf(large))
    const pids = (await processes()).flatMap(({ pid }) => pid ?? [])
    const supervisor = JSON.parse(await readFile(join(data, 'supervisor.json'), 'utf8')) as { readonly pid: number }
    process.kill(supervisor.pid, 'SIGKILL')
    await running?.ended
    // The next start does not fail over the children of the one before, which are just stopping.
    await start()
    await noneOf(pids)
    expect(await get('/photos/small')).toBe(digestOf(small))
  })

  test('ends at Ctrl-C, whole', { timeout: 60_000 }, async () => {
    const pids = (await processes()).flatMap(({ pid }) => pid ?? [])
    expect(pids).toHaveLength(4)
    running?.signal('SIGINT')
    expect(await running?.ended).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
  })

  test('refuses another shape than it has', async () => {
    const refused = await run('cluster start --datanodes 2')
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.err).toContain('has 1 datanode, not 2')
    expect((await run('cluster start --racks 3')).err).toContain('stand in 1 racks, not 3')
    expect((await run('cluster start --replication RATIS/THREE')).err).toContain('replicates by RATIS/ONE')
  })
})

describe('what cannot be started', () => {
  test('a cluster that is there already', async () => {
    const home = join(directory.path, 'three')
    const at = (line: string): Promise<Ran> => o3([...words(line), '--data', home])
    expect(await at('cluster init --om 3 --scm 3')).toMatchObject({ code: 0 })
    const members = (await at('cluster status --json')).json()
    expect(members.map(({ id }) => id)).toEqual(['scm1', 'scm2', 'scm3', 'om1', 'om2', 'om3', 'dn1', 'gw1'])
    expect(await at('cluster init')).toMatchObject({ code: 2, err: expect.stringContaining('already') })
  })

  test('a member that is not of the file, or in the directory of another', { timeout: 30_000 }, async () => {
    const om = (id: string, place: string): Promise<Ran> =>
      o3(['om', '--cluster', join(data, 'cluster.json'), '--id', id, '--data', place])
    expect(await om('om7', join(directory.path, 'om7'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('has no om om7'),
    })
    expect(await om('om1', join(data, 'scm1'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('has role scm, not om'),
    })
  })

  test('a cluster in the directory of a single node, or of somebody else', async () => {
    const home = join(directory.path, 'other')
    await o3(['cluster', 'init', '--data', home])
    const file = join(home, 'cluster.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace('"host": "127.0.0.1"', '"host": "10.1.2.3"'))
    const refused = await o3(['cluster', 'start', '--data', home])
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('10.1.2.3 is not a loopback address') })
    const strange = await o3(['cluster', 'init', '--data', directory.path])
    expect(strange).toMatchObject({ code: 1, err: expect.stringContaining('is not an O3 data directory') })
  })
})
