/** How the processes of a cluster come by their certificates: at a start, in an old directory, and on another host. */

import { copyFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
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
const stop = async (): Promise<void> => {
  running?.signal('SIGTERM')
  await running?.ended
}

const processes = ['om1', 'scm1', 'dn1', 'gw1']
const identities = processes.map((id) => `${id}/identity.pem`)
const own = ['keys/ca.pem', 'keys/ca.key', 'keys/admin.pem', ...identities]

test('every private key is for its owner only', { timeout: 60_000 }, async () => {
  await start()
  expect((await (await s3Of(data))('PUT', '/kept')).status).toBe(200)
  for (const file of own) expect((await stat(join(data, file))).mode & 0o777, file).toBe(0o600)
  expect(await readdir(join(data, 'keys'))).not.toContain('rpc.secret')
  const others = (await run('cluster status --json')).json()
  expect(others.map(({ state }) => state)).toEqual(['up', 'up', 'up', 'up'])
  await stop()
})

test('a directory of before there were certificates gets them at its next start', { timeout: 60_000 }, async () => {
  const file = join(data, 'cluster.json')
  const {
    ca: _ca,
    caKey: _caKey,
    revoked: _revoked,
    ...rest
  } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  await writeFile(file, JSON.stringify({ ...rest, version: 1, secret: 'keys/rpc.secret' }))
  await writeFile(join(data, 'keys/rpc.secret'), `${'ab'.repeat(32)}\n`, { mode: 0o600 })
  for (const each of own) await rm(join(data, each))
  await start()
  expect((await (await s3Of(data))('GET', '/kept')).status).toBe(200)
  for (const each of own) expect((await stat(join(data, each))).mode & 0o777, each).toBe(0o600)
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('a datanode on a host that has not the keys', () => {
  let elsewhere: string

  /** Runs until it says that it is ready, or ends. */
  async function datanode(
    more: readonly string[],
  ): Promise<{ readonly code?: number; readonly said: string; end(): Promise<unknown> }> {
    const place = ['--cluster', join(elsewhere, 'cluster.json'), '--id', 'dn2', '--data', join(elsewhere, 'dn2')]
    const launcher = join(import.meta.dirname, '../bin/o3.mjs')
    const child = spawn(process.execPath, [launcher, 'datanode', ...place, ...more])
    let said = ''
    const ended = once(child, 'close') as Promise<[number]>
    const ready = new Promise<undefined>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (piece: string) => {
          said += piece
          if (said.includes('is ready at')) resolve(undefined)
        })
      }
    })
    const code = await Promise.race([ready, ended.then(([exit]) => exit)])
    const end = (): Promise<unknown> => {
      child.kill('SIGTERM')
      return ended
    }
    return { ...(code === undefined ? {} : { code }), said, end }
  }

  beforeAll(async () => {
    elsewhere = join(directory.path, 'elsewhere')
    const port = await freePort()
    await mkdir(elsewhere)
    const file = join(data, 'cluster.json')
    const cluster = JSON.parse(await readFile(file, 'utf8')) as { datanodes: object[] }
    cluster.datanodes.push({ id: 'dn2', host: '127.0.0.1', port, disks: [] })
    await writeFile(file, JSON.stringify(cluster))
    await copyFile(file, join(elsewhere, 'cluster.json'))
  })

  test('does not come in without a token', { timeout: 60_000 }, async () => {
    const { code, said } = await datanode([])
    expect(code).toBe(2)
    expect(said).toContain('join with a token')
  })

  test('comes in with one, once, and back without', { timeout: 60_000 }, async () => {
    const token = (await run('cluster token --id dn2')).out.trim()
    const first = await datanode(['--join', token])
    expect(first.said).toContain('is ready at')
    const members = (await run('cluster status --json')).json()
    expect(members.find(({ id }) => id === 'dn2')).toMatchObject({ state: 'up' })
    await first.end()
    const again = await datanode([])
    expect(again.said).toContain('is ready at')
    await again.end()
    await rm(join(elsewhere, 'dn2/identity.pem'))
    const replayed = await datanode(['--join', token])
    expect(replayed.said).toContain('used before')
  })

  test('there is no token for who is not in the file', async () => {
    expect(await run('cluster token --id dn9')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no datanode dn9'),
    })
    expect(await run('cluster token --id om1 --role king')).toMatchObject({ code: 2 })
  })
})
