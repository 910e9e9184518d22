import type { Clock } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import { expect, test } from 'vitest'
import type { ContainerReport, Heartbeat } from '../src/api/api.ts'
import { defaultScmConfig } from '../src/module.ts'
import { NodeRegistry } from '../src/service/node-registry.ts'
import { healthy } from './fixtures/three-members.ts'

const clock: Clock = new Simulation({ seed: 'registry' }).clock

const reportOf = (id: number, blockCount = 1): ContainerReport => ({
  id,
  state: 'CLOSED',
  generation: 1,
  usedBytes: 10,
  liveBytes: 10,
  blockCount,
  contentHash: 'abc',
})

/** A datanode that has registered with these, and the containers that were news since. */
function registryOf(containers: readonly ContainerReport[]): {
  readonly registry: NodeRegistry
  readonly news: (heartbeat: Partial<Heartbeat>) => readonly number[]
} {
  const registry = new NodeRegistry(clock, defaultScmConfig)
  registry.register({ id: 'a', address: 'a:1', disks: [healthy], containers })
  return {
    registry,
    news(heartbeat) {
      const heard: number[] = []
      registry.listener = (event) => void (event.kind === 'container' && heard.push(event.container))
      registry.heartbeat({
        id: 'a',
        full: false,
        disks: [healthy],
        containers: [],
        deletedTransactions: [],
        ...heartbeat,
      })
      return heard
    },
  }
}

test('what a full report says again is no news', () => {
  const { registry, news } = registryOf([reportOf(1), reportOf(2), reportOf(3)])
  const heard = news({ full: true, containers: [reportOf(1), reportOf(2, 7), reportOf(4)] })
  expect(heard).toEqual([3, 2, 4])
  expect(registry.reportsOf(2).get('a')?.blockCount).toBe(7)
  expect([...registry.reported()]).toEqual([1, 2, 4])
})

test.each([
  { state: 'UNHEALTHY' },
  { generation: 2 },
  { usedBytes: 11 },
  { liveBytes: 9 },
  { blockCount: 2 },
  { contentHash: 'other' },
  { contentHash: undefined },
  { pipeline: 'pipeline-1' },
] as readonly Partial<ContainerReport>[])('%o is news', (change) => {
  const { news } = registryOf([reportOf(1)])
  expect(news({ containers: [reportOf(1)] })).toEqual([])
  expect(news({ containers: [{ ...reportOf(1), ...change }] })).toEqual([1])
})

const order = (number: number, process = 'first') => ({ process, number })

test('a copy of a heartbeat that comes late is answered, and not believed', () => {
  const registry = new NodeRegistry(clock, defaultScmConfig)
  const node = { id: 'a', disks: [healthy] }
  const beat = (number: number, blockCount: number, process?: string) => {
    const said = { full: false, deletedTransactions: [], containers: [reportOf(1, blockCount)] }
    return registry.heartbeat({ ...node, ...said, order: order(number, process) })
  }
  const known = () => registry.reportsOf(1).get('a')?.blockCount
  registry.register({ ...node, address: 'a:1', containers: [], order: order(1) })
  expect(beat(2, 20)).toBe(true)
  // Its answer was lost, and it is sent again.
  expect(beat(2, 20)).toBe(true)
  expect(beat(3, 30)).toBe(true)
  expect(beat(2, 20)).toBe(true)
  registry.register({ ...node, address: 'a:1', containers: [reportOf(1, 10)], order: order(1) })
  expect(known()).toBe(30)
  expect(beat(4, 40)).toBe(true)
  expect(known()).toBe(40)

  // The datanode is started anew. What the process of before has said comes late, a registration too.
  registry.register({ ...node, address: 'a:1', containers: [reportOf(1, 50)], order: order(1, 'second') })
  expect(beat(9, 20)).toBe(false)
  expect(known()).toBe(50)
  registry.register({ ...node, address: 'a:1', containers: [reportOf(1, 10)], order: order(1) })
  expect(beat(2, 60, 'second')).toBe(false)
  registry.register({ ...node, address: 'a:1', containers: [reportOf(1, 60)], order: order(3, 'second') })
  expect(known()).toBe(60)
})
