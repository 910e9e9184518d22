import { Simulation } from '@o3/common/env/sim'
import type { SimNode } from '@o3/common/env/sim'
import type { Env } from '@o3/common/env'
import { describe, expect, test } from 'vitest'
import { findAllDisks, findSomeDisks, rememberDisks } from '../src/known-disks.ts'

const both = ['/data/disk', '/mnt/far']

/** A node that was started once, with a disk in its data directory and one elsewhere. */
function afterOneStart(run: (env: Env, node: SimNode) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'known-disks' })
  const node = simulation.node('node')
  const env: Env = node.boot()
  return simulation.run(async () => {
    for (const disk of ['/data/disk', '/mnt/far']) {
      await env.disk.makeDirectory(disk)
      await (await env.disk.open(`${disk}/VERSION`, 'create')).close()
    }
    await findAllDisks(env, '/data', both)
    await rememberDisks(env, '/data', { present: both, away: [] })
    await run(env, node)
  })
}

test('the same disks are taken again', () =>
  afterOneStart(async (env) => {
    const found = { present: ['/mnt/far', '/data/disk'], away: [], returned: [], fresh: [] }
    expect(await findAllDisks(env, '/data', ['/mnt/far', '/data/disk'])).toEqual(found)
    expect(await findSomeDisks(env, '/data', ['/mnt/far', '/data/disk'])).toEqual(found)
  }))

test('a disk that is not mounted is not a new one', () =>
  afterOneStart(async (env) => {
    await env.disk.remove('/mnt/far/VERSION')
    const start = findAllDisks(env, '/data', ['/data/disk', '/mnt/far'])
    await expect(start).rejects.toMatchObject({
      code: 'Incompatible',
      message: expect.stringContaining('/mnt/far') as unknown,
    })
  }))

test('a disk that is no longer named is asked for', () =>
  afterOneStart(async (env) => {
    const start = findAllDisks(env, '/data', ['/data/disk'])
    await expect(start).rejects.toMatchObject({
      code: 'Incompatible',
      message: expect.stringContaining('--disk') as unknown,
    })
  }))

test('a disk within the data directory moves with it', () =>
  afterOneStart(async (env) => {
    await env.disk.rename('/data', '/moved')
    await findAllDisks(env, '/moved', ['/moved/disk', '/mnt/far'])
  }))

test('a list that is damaged stops the start', () =>
  afterOneStart(async (env) => {
    const file = await env.disk.open('/data/disks.json', 'read-write')
    await file.write([Buffer.from('!')], 0)
    await file.close()
    await expect(findAllDisks(env, '/data', [])).rejects.toMatchObject({ code: 'Damaged' })
  }))

describe('a datanode whose copies are elsewhere', () => {
  test('goes on with what is there, and knows what has returned', () =>
    afterOneStart(async (env) => {
      await env.disk.rename('/mnt/far/VERSION', '/mnt/far/.hidden')
      const found = await findSomeDisks(env, '/data', both)
      const why = 'it has no VERSION file: it is not mounted, or was emptied'
      const away = [{ path: '/mnt/far', why }]
      expect(found).toEqual({ present: ['/data/disk'], away, returned: [], fresh: [] })
      await rememberDisks(env, '/data', { present: found.present, away: ['/mnt/far'] })
      expect(await findSomeDisks(env, '/data', both)).toEqual(found)

      await env.disk.rename('/mnt/far/.hidden', '/mnt/far/VERSION')
      const whole = await findSomeDisks(env, '/data', both)
      expect(whole).toEqual({ present: both, away: [], returned: ['/mnt/far'], fresh: [] })
      await rememberDisks(env, '/data', { present: both, away: [] })
      expect(await findSomeDisks(env, '/data', both)).toEqual({ present: both, away: [], returned: [], fresh: [] })
    }))

  test('does not begin anew when none is there', () =>
    afterOneStart(async (env) => {
      for (const disk of both) await env.disk.remove(`${disk}/VERSION`)
      const message = expect.stringMatching(
        /^none of the disks .*\/data\/disk: .*; \/mnt\/far: .*disks\.json/,
      ) as unknown
      await expect(findSomeDisks(env, '/data', both)).rejects.toMatchObject({ code: 'Incompatible', message })
    }))

  test('has given up a disk that is gone and is no longer named; one that is there was forgotten', () =>
    afterOneStart(async (env) => {
      await expect(findSomeDisks(env, '/data', ['/data/disk'])).rejects.toMatchObject({ code: 'Incompatible' })
      await env.disk.remove('/mnt/far/VERSION')
      const found = await findSomeDisks(env, '/data', ['/data/disk'])
      expect(found).toEqual({ present: ['/data/disk'], away: [], returned: [], fresh: [] })
    }))

  test('says of a disk that answers with an error which; one that never had anything is new, also when it does', () =>
    afterOneStart(async (env, node) => {
      node.disk.inject({ operation: 'stat', errno: 'EIO', path: /far/ })
      expect(await findSomeDisks(env, '/data', [...both, '/mnt/new'])).toEqual({
        present: ['/data/disk', '/mnt/new'],
        away: [{ path: '/mnt/far', why: 'it does not answer (disk stat failed: EIO)' }],
        returned: [],
        fresh: ['/mnt/new'],
      })
    }))
})
