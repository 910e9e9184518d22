import type { Env } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import type { SimNode } from '@o3/common/env/sim'
import { openLog } from '@o3/ratis/log'
import { expect, test } from 'vitest'
import type { Member } from '../../src/cluster-file/cluster-file.ts'
import { layFoundersDown, settleFounding } from '../../src/roles/founding.ts'

const segmentBytes = 64 * 1024
const members: readonly Member[] = ['om1', 'om2', 'om3'].map((id, index) => ({
  id,
  host: '127.0.0.1',
  port: 1 + index,
}))
const founding = {
  voters: ['om1', 'om2', 'om3'],
  addresses: { om1: '127.0.0.1:1', om2: '127.0.0.1:2', om3: '127.0.0.1:3' },
}
const place = { home: 'home', directory: 'home/om1', logDirectory: 'home/om1/om/log', segmentBytes }

function onMachine(run: (env: Env, node: SimNode) => Promise<void>, seed = 'founding'): Promise<void> {
  const simulation = new Simulation({ seed })
  const node = simulation.node('machine')
  return simulation.run(() => run(node.boot(), node))
}

async function layOut(env: Env): Promise<void> {
  await env.disk.makeDirectory('home')
  await env.disk.syncDirectory('.')
  await layFoundersDown(env, 'home', members)
}

const settle = async (env: Env, group: readonly Member[] = members) => {
  // As whoever claims the directory does.
  await env.disk.makeDirectory('home/om1')
  return settleFounding(env, { ...place, member: { id: 'om1', host: '127.0.0.1', port: 1 }, members: group })
}

async function removeTree(env: Env, path: string): Promise<void> {
  if ((await env.disk.stat(path))?.kind === 'directory') {
    for (const name of await env.disk.list(path)) await removeTree(env, `${path}/${name}`)
  }
  await env.disk.remove(path)
}

async function mayVote(env: Env): Promise<boolean> {
  const log = await openLog(env, place.logDirectory, { segmentBytes, expectExisting: true, onDamage: 'repair' })
  await log.close()
  return log.hardState.mayVote
}

test('a founder has a log and a vote, and says the same at every start', () =>
  onMachine(async (env) => {
    await layOut(env)
    expect(await settle(env)).toMatchObject(founding)
    expect(await env.disk.list('home/founders')).toEqual(['om2', 'om3'])
    expect(await mayVote(env)).toBe(true)
    // What the cluster file says later is of no account.
    expect(await settle(env, members.slice(0, 1))).toMatchObject(founding)
  }))

test('who was wiped is no founder, and has no vote', () =>
  onMachine(async (env) => {
    await layOut(env)
    await settle(env)
    await removeTree(env, 'home/om1')
    expect(await settle(env)).toBeUndefined()
    expect(await mayVote(env)).toBe(false)
  }))

test('nor is one that lost its log alone', () =>
  onMachine(async (env) => {
    await layOut(env)
    await settle(env)
    await removeTree(env, 'home/om1/om')
    expect(await settle(env)).toBeUndefined()
    expect(await mayVote(env)).toBe(false)
  }))

test('who was added later waits for the others', () =>
  onMachine(async (env) => {
    await layOut(env)
    const om4 = { id: 'om4', host: '127.0.0.1', port: 4 }
    const added = { ...place, directory: 'home/om4', logDirectory: 'home/om4/om/log' }
    expect(await settleFounding(env, { ...added, member: om4, members: [...members, om4] })).toBeUndefined()
  }))

test('the log of a group of one that is older than all this is its founder’s', () =>
  onMachine(async (env) => {
    await env.disk.makeDirectory('home/om1')
    await (await openLog(env, place.logDirectory, { segmentBytes })).close()
    expect(await settle(env)).toBeUndefined()
    expect(await settle(env, members.slice(0, 1))).toMatchObject({ voters: ['om1'] })
    // It stays so when others come.
    expect(await settle(env)).toMatchObject({ voters: ['om1'] })
  }))

test('whenever the machine goes down, the token is there or a log that may vote', async () => {
  let [untouched, settled] = [0, 0]
  for (let afterMs = 0; settled < 3; afterMs++) {
    await onMachine(async (env, node) => {
      await layOut(env)
      const working = node.whileUp(settle(env))
      await env.clock.sleep(afterMs)
      if (node.isUp) node.crash()
      await working
      const back = node.boot()
      const names = await back.disk.list('home/founders')
      if (names.includes('om1')) untouched++
      else settled++
      expect(await settle(back)).toMatchObject(founding)
      expect(await back.disk.list('home/founders')).toEqual(['om2', 'om3'])
      expect(await mayVote(back)).toBe(true)
    }, `founding ${afterMs}`)
  }
  expect(untouched).toBeGreaterThan(3)
})
