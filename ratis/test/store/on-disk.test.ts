import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeEnv } from '@o3/common/env/node'
import { openLevelKv } from '@o3/common/kv/level'
import { openReplicatedStore } from '../../src/store/replicated-store.ts'
import { counterRules, counters, type CounterCommand } from './counter-rules.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(`${tmpdir()}/o3-ratis-`)
})
afterEach(() => rm(directory, { recursive: true }))

const add = (name: string): CounterCommand => ({ kind: 'add', name, amount: 1 })

async function open() {
  const kv = await openLevelKv(`${directory}/rows`)
  const store = await openReplicatedStore({
    env: nodeEnv(),
    directory: `${directory}/store`,
    rules: counterRules,
    kv,
    log: { segmentBytes: 256 * 1024 },
    checkpoint: { everyLogBytes: 512 * 1024, keepLogBytes: 0 },
  })
  return {
    store,
    async close() {
      await store.close()
      await kv.close()
    },
  }
}

test('on a real disk under LevelDB: commands, checkpoints, segments, a second start', async () => {
  const first = await open()
  for (let round = 0; round < 10; round++) {
    const commands = Array.from({ length: 50 }, (_, i): CounterCommand => {
      if (i % 5 === 0) return { kind: 'pad', name: `${round}/${i}`, bytes: 4000 }
      return add(`n${i % 10}`)
    })
    await Promise.all(commands.map((command, i) => first.store.execute(command, { requestId: `${round}/${i}` })))
  }
  expect(await first.store.get(counters, 'n1')).toMatchObject({ value: 50 })
  await first.close()
  const segments = (await readdir(`${directory}/store/log`)).filter((name) => name.endsWith('.segment'))
  expect(segments.length).toBeLessThan(4)

  const second = await open()
  expect(second.store.status()).toMatchObject({ term: 2, role: 'leader' })
  expect(await second.store.get(counters, 'n1')).toMatchObject({ value: 50 })
  expect((await second.store.execute(add('n1'), { requestId: '9/1' })).value).toBe(46)
  expect((await second.store.execute(add('n1'))).value).toBe(51)
  const total = await second.store.read(async (view) => {
    const cursor = view.cursor(counters, { from: '' })
    const rows = await cursor.next(1000)
    await cursor.close()
    return rows.reduce((sum, { value }) => sum + value.value, 0)
  })
  expect(total).toBe(401)
  await second.close()
})
