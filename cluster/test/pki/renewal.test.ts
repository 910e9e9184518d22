import { Simulation } from '@o3/common/env/sim'
import type { Env } from '@o3/common/env'
import { createLogger } from '@o3/common/log'
import { expect, test } from 'vitest'
import { formatClusterFile } from '../../src/cluster-file/cluster-file.ts'
import { readCluster } from '../../src/cluster-file/read-cluster.ts'
import { replaceFile } from '../../src/data-directory.ts'
import { keepFresh } from '../../src/pki/renewal.ts'
import { Wire } from '../../src/pki/wire.ts'
import { authorityOf, clusterId, identityOf, nameOf } from './fixtures.ts'

const authority = authorityOf('ours')
const gateway = nameOf('gateway', 'gw1')
const at = (port: number) => ({ host: 'scm1', port })
const clusterFile = 'home/cluster.json'
const dayMs = 24 * 60 * 60 * 1000

function clusterText(revoked: readonly string[]): string {
  return formatClusterFile({
    clusterId,
    ca: 'ca.pem',
    caKey: 'ca.key',
    revoked,
    sealingKey: 'cluster.key',
    om: [{ id: 'om1', ...at(1) }],
    scm: [{ id: 'scm1', ...at(2) }],
    datanodes: [{ id: 'dn1', ...at(3), disks: [] }],
    gateways: [{ id: 'gw1', ...at(4), s3: at(5), native: at(6), admin: at(7) }],
  })
}

/** A process whose certificate is in its n-th day of a year, and what it does in the time that `live` takes; resolves with how long its end took. */
async function living(
  ageDays: number,
  live: (parts: { env: Env; wire: Wire; logged: string[] }) => Promise<void>,
): Promise<number> {
  let stopMs = 0
  const simulation = new Simulation({ seed: 'renewal' })
  const env = simulation.node('gw1').boot()
  await simulation.run(async () => {
    const fromMs = env.clock.wallMs() - ageDays * dayMs
    const identity = identityOf(authority, gateway, { fromMs, toMs: fromMs + 365 * dayMs })
    const wire = new Wire({ env, identity, revoked: [] })
    await env.disk.makeDirectory('home')
    await replaceFile(env, clusterFile, clusterText([]))
    const logged: string[] = []
    const log = createLogger({ level: 'warn', destination: (line) => logged.push(line), clock: env.clock })
    const cluster = await readCluster(env, clusterFile)
    const holder = { authority: { ...cluster, ca: 'none', caKey: 'none' }, name: gateway, file: 'home/identity.pem' }
    const task = env.tasks.spawn('renewal', (signal) =>
      keepFresh({ env, log, wire, holder, cluster, clusterFile }, signal),
    )
    await live({ env, wire, logged })
    const sinceMs = env.clock.monotonicMs()
    task.cancel()
    await task.done
    stopMs = env.clock.monotonicMs() - sinceMs
  })
  return stopMs
}

test('a certificate that is revoked in the file is refused within a minute, and a broken file changes nothing', async () => {
  await living(1, async ({ env, wire, logged }) => {
    const peer = identityOf(authority, nameOf('admin', 'admin'))
    const theirs = new Wire({ env, identity: peer, revoked: [] })
    const listener = await wire.env.network.listen({ kind: 'tcp', host: 'gw1', port: 0 }, () => {})
    const connect = async (): Promise<string> => {
      try {
        await (await theirs.env.network.connect(listener.address)).close()
        return 'in'
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(await connect()).toBe('in')
    const long = await theirs.env.network.connect(listener.address)
    await replaceFile(env, clusterFile, clusterText([peer.certificate]))
    await env.clock.sleep(61_000)
    expect(await connect()).toContain('was revoked')
    expect(logged).toEqual([])
    // A connection of before is ended, too.
    for await (const chunk of long.received) expect(chunk).toBe('nothing')
    await expect(long.send([new Uint8Array(1)])).rejects.toMatchObject({ category: 'unavailable' })
    await long.close()
    await replaceFile(env, clusterFile, '{')
    await env.clock.sleep(61_000)
    expect(await connect()).toContain('was revoked')
    expect(logged.join()).toContain('the list of revoked certificates stays')
  })
})

test('a renewal that nobody signs is tried again, now and then', async () => {
  await living(300, async ({ env, wire, logged }) => {
    const before = wire.identity
    await env.clock.sleep(60 * 60 * 1000)
    expect(wire.identity).toBe(before)
    const said = logged.filter((line) => line.includes('was not renewed'))
    expect(said.length).toBeGreaterThan(3)
    expect(said.length).toBeLessThan(8)
    expect(said[0]).toContain('no leader of scm answered')
  })
})

test('a young certificate is left alone', async () => {
  await living(200, async ({ env, wire, logged }) => {
    const before = wire.identity
    await env.clock.sleep(60 * 60 * 1000)
    expect(wire.identity).toBe(before)
    expect(logged).toEqual([])
  })
})

test('a process that stops does not wait for the answer of SCM', async () => {
  // It has begun to ask, and nobody is there.
  expect(await living(300, ({ env }) => env.clock.sleep(100))).toBeLessThan(10)
})
