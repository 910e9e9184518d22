import { Simulation } from '@o3/common/env/sim'
import type { Env } from '@o3/common/env'
import type { DiskReport } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { refuseLostDisks, rememberDisks } from '../src/known-disks.ts'

const report = (path: string): DiskReport => ({
  path,
  uuid: path,
  state: 'healthy',
  totalBytes: 1,
  availableBytes: 1,
  usedBytes: 0,
})

/** A node that was started once, with a disk in its data directory and one elsewhere. */
function afterOneStart(run: (env: Env) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'known-disks' })
  const env: Env = simulation.node('node').boot()
  return simulation.run(async () => {
    for (const disk of ['/data/disk', '/mnt/far']) {
      await env.disk.makeDirectory(disk)
      await (await env.disk.open(`${disk}/VERSION`, 'create')).close()
    }
    await refuseLostDisks(env, '/data', ['/data/disk', '/mnt/far'])
    await rememberDisks(env, '/data', [report('/data/disk'), report('/mnt/far')])
    await run(env)
  })
}

test('the same disks are taken again', () =>
  afterOneStart((env) => refuseLostDisks(env, '/data', ['/mnt/far', '/data/disk'])))

test('a disk that is not mounted is not a new one', () =>
  afterOneStart(async (env) => {
    await env.disk.remove('/mnt/far/VERSION')
    const start = refuseLostDisks(env, '/data', ['/data/disk', '/mnt/far'])
    await expect(start).rejects.toMatchObject({
      code: 'Incompatible',
      message: expect.stringContaining('/mnt/far') as unknown,
    })
  }))

test('a disk that is no longer named is asked for', () =>
  afterOneStart(async (env) => {
    const start = refuseLostDisks(env, '/data', ['/data/disk'])
    await expect(start).rejects.toMatchObject({
      code: 'Incompatible',
      message: expect.stringContaining('--disk') as unknown,
    })
  }))

test('a disk within the data directory moves with it', () =>
  afterOneStart(async (env) => {
    await env.disk.rename('/data', '/moved')
    await refuseLostDisks(env, '/moved', ['/moved/disk', '/mnt/far'])
  }))

test('a list that is damaged stops the start', () =>
  afterOneStart(async (env) => {
    const file = await env.disk.open('/data/disks.json', 'read-write')
    await file.write([Buffer.from('!')], 0)
    await file.close()
    await expect(refuseLostDisks(env, '/data', [])).rejects.toMatchObject({ code: 'Damaged' })
  }))
