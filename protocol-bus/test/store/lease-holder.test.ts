import { nodeEnv } from '@o3/common/env/node'
import { Simulation } from '@o3/common/env/sim'
import type { SimProcess } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { expect, test } from 'vitest'
import { LeaseHolder } from '../../src/store/lease-holder.ts'
import { MemoryLeases, nameOf } from './memory-blocks.ts'

interface World {
  readonly om: MemoryLeases
  readonly holder: LeaseHolder
  readonly process: SimProcess
}

/** Runs the script in virtual time, with leases of eight blocks that last a second. */
function inTime(script: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  const process = simulation.node('gateway').boot()
  const om = new MemoryLeases(() => process.clock.wallMs())
  const { clock, tasks } = process
  const options = { om, clock, tasks, log: nullLogger, holder: 'me', replication: 'RATIS/ONE', batch: 8 } as const
  return simulation.run(() => script({ om, holder: new LeaseHolder(options), process }))
}

test('blocks are drawn ahead of need, each once, and most without waiting', () =>
  inTime(async ({ om, holder, process }) => {
    const first = await holder.take()
    const names = [nameOf(first.block)]
    for (let i = 1; i < 30; i++) {
      const drawn = holder.take()
      if (i % 4 === 0) await process.clock.sleep(1)
      expect(drawn).not.toBeInstanceOf(Promise)
      names.push(nameOf((await drawn).block))
    }
    expect(new Set(names).size).toBe(30)
    expect(om.calls.filter((call) => call === 'lease').length).toBeLessThanOrEqual(5)
  }))

test('many who wait at once get different blocks', () =>
  inTime(async ({ om, holder }) => {
    const drawn = await Promise.all(Array.from({ length: 100 }, async () => holder.take()))
    expect(new Set(drawn.map(({ block }) => nameOf(block))).size).toBe(100)
    for (const { lease, block } of drawn) {
      expect(om.live.get(lease)?.ranges[0]?.container).toBe(block.container)
    }
  }))

test('a lease lives as long as one of its blocks is being written, and ends with the last', () =>
  inTime(async ({ om, holder, process }) => {
    const slow = await holder.take()
    await process.clock.sleep(10_000)
    expect(om.live.has(slow.lease)).toBe(true)
    expect(om.calls.filter((call) => call === `renew-lease ${slow.lease}`).length).toBeGreaterThan(10)
    slow.finish()
    slow.finish()
    await process.clock.sleep(1)
    expect(om.live.has(slow.lease)).toBe(false)
    expect(om.calls.filter((call) => call === `end-lease ${slow.lease}`)).toHaveLength(1)
  }))

test('a lease that is used up ends when its blocks are finished, in whatever order', () =>
  inTime(async ({ om, holder, process }) => {
    const drawn = await Promise.all(Array.from({ length: 9 }, async () => holder.take()))
    const ofFirst = drawn.filter(({ lease }) => lease === 1)
    expect(ofFirst).toHaveLength(8)
    for (const block of ofFirst.slice(1)) block.finish()
    await process.clock.sleep(1)
    expect(om.live.has(1)).toBe(true)
    ofFirst[0]!.finish()
    await process.clock.sleep(1)
    expect(om.live.has(1)).toBe(false)
  }))

test('an idle store holds no lease, and takes a new one when it is needed', () =>
  inTime(async ({ om, holder, process }) => {
    const drawn = await holder.take()
    drawn.finish()
    await process.clock.sleep(3000)
    expect(om.live.size).toBe(0)
    const later = await holder.take()
    expect(om.live.has(later.lease)).toBe(true)
  }))

test('no block is drawn from a lease in the second half of its term', () =>
  inTime(async ({ om, holder, process }) => {
    for (let i = 0; i < 200; i++) {
      await process.clock.sleep(20)
      const drawn = await holder.take()
      expect(om.live.get(drawn.lease)!.expiresMs - process.clock.wallMs()).toBeGreaterThan(200)
      drawn.finish()
    }
  }))

test('after a sleep in which no timer ran, no block is drawn from what has expired', async () => {
  let nowMs = 0
  const om = new MemoryLeases(() => nowMs)
  const { tasks } = nodeEnv()
  const clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    after: () => () => {},
    sleep: () => Promise.reject(new Error('not used')),
  }
  const options = { om, clock, tasks, log: nullLogger, holder: 'me', replication: 'RATIS/ONE', batch: 8 } as const
  const holder = new LeaseHolder(options)
  expect((await holder.take()).lease).toBe(1)
  nowMs = 10_000
  expect((await holder.take()).lease).toBe(2)
})

test('what OM refuses is told to those who wait, and the next one asks again', () =>
  inTime(async ({ om, holder }) => {
    om.refusal = new StoreError('OutOfSpace', 'full')
    const waiting = [holder.take(), holder.take()]
    for (const each of waiting) await expect(each).rejects.toMatchObject({ code: 'OutOfSpace' })
    om.refusal = undefined
    await expect(holder.take()).resolves.toBeDefined()
  }))

const closed = new StoreError('Unavailable', 'the container is closed')
const full = new StoreError('OutOfSpace', 'the disk is full')

test.each([
  ['full', [full, full], 'OutOfSpace'],
  ['closed', [closed, closed], 'Unavailable'],
  ['full, another one closed', [full, closed], 'Unavailable'],
])('where all containers have just refused because they are %s, that is what the caller is told', (_, why, code) =>
  inTime(async ({ om, holder }) => {
    om.containers = () => [7, 8]
    await holder.take()
    for (const [index, because] of why.entries()) holder.avoid(7 + index, because)
    await expect(Promise.resolve().then(() => holder.take())).rejects.toMatchObject({ code })
  }),
)

test('a container that takes no blocks is passed over, in later leases too, until it is tried again', () =>
  inTime(async ({ om, holder, process }) => {
    om.containers = () => [7, 8]
    om.termMs = 1_000_000
    const drawn = await holder.take()
    expect(drawn.block.container).toBe(7)
    holder.avoid(7, closed)
    for (let i = 0; i < 20; i++) expect((await holder.take()).block.container).toBe(8)
    holder.avoid(8, closed)
    await expect(Promise.resolve().then(() => holder.take())).rejects.toMatchObject({ code: 'Unavailable' })
    await process.clock.sleep(60_000)
    expect((await holder.take()).block.container).toBe(7)
  }))

test('where all containers are avoided, one is tried again soon; once it takes a block, it is as good as before', () =>
  inTime(async ({ om, holder, process }) => {
    om.containers = () => [7]
    om.termMs = 1_000_000
    await holder.take()
    // The only datanode is restarted.
    holder.avoid(7, closed)
    await expect(Promise.resolve().then(() => holder.take())).rejects.toMatchObject({ code: 'Unavailable' })
    await process.clock.sleep(2_000)
    expect((await holder.take()).block.container).toBe(7)
    holder.welcome(7)
    om.calls.length = 0
    for (let i = 0; i < 16; i++) expect((await holder.take()).block.container).toBe(7)
    expect(om.calls.filter((call) => call === 'lease').length).toBeLessThanOrEqual(4)
  }))

test('closing ends the leases that nobody uses, and nothing is drawn any more', () =>
  inTime(async ({ om, holder }) => {
    const drawn = await holder.take()
    drawn.finish()
    await holder.close()
    expect(om.live.size).toBe(0)
    expect(() => holder.take()).toThrow('the store is closed')
    await holder.close()
  }))

test('each block has the token of its range, and after a renewal the newer one', () =>
  inTime(async ({ om, holder, process }) => {
    om.containers = () => [5, 6]
    const drawn = await Promise.all(Array.from({ length: 8 }, async () => holder.take()))
    const tokenOf = ({ access }: (typeof drawn)[0]): string => Buffer.from(access.token ?? []).toString()
    const untilMs = om.live.get(1)?.expiresMs
    for (const block of drawn) expect(tokenOf(block)).toBe(`${block.block.container} until ${untilMs}`)
    expect(new Set(drawn.map(({ block }) => block.container))).toEqual(new Set([5, 6]))
    await process.clock.sleep(10_000)
    const renewedMs = om.live.get(1)?.expiresMs
    expect(renewedMs).toBeGreaterThan(untilMs ?? 0)
    for (const block of drawn) expect(tokenOf(block)).toBe(`${block.block.container} until ${renewedMs}`)
    for (const block of drawn) block.finish()
  }))
