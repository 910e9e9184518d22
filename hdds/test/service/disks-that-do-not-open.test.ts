/** Disks that fail while the datanode opens them. */

import type { DiskFault } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { Machine } from '../harness/machine.ts'

const content = patternOf(1, 10_000)
const block = (container: number, local = 1) => ({ container, local })

interface Scene {
  readonly machine: Machine
  /** The container of the disk that works. */
  readonly kept: number
  /** Of the one that does not. */
  readonly lost: number
}

/** After two containers were written, one on each of two disks, and a stop. Each start reads the container files. */
function afterStop(run: (scene: Scene) => Promise<void>): Promise<void> {
  const machine = new Machine({ seed: 'failing-disks', disks: ['/disk1', '/disk2'], forgetsIndex: true })
  return machine.run(async () => {
    const whole = await machine.start()
    for (const container of [1, 2]) await whole.writeBlock(block(container), [content])
    const [kept = 0] = whole.dataDisks[0]?.containers.keys() ?? []
    const [lost = 0] = whole.dataDisks[1]?.containers.keys() ?? []
    await whole.close()
    machine.node.kill()
    machine.node.boot()
    await run({ machine, kept, lost })
  })
}

async function expectContent(datanode: LocalDatanode, container: number): Promise<void> {
  const read = await datanode.readSmall(block(container), { offset: 0, length: content.length })
  expect(sameBytes(read, content)).toBe(true)
}

const faults: readonly (readonly [string, DiskFault, string])[] = [
  [
    'VERSION',
    { operation: 'read', errno: 'EIO', path: /disk2.VERSION/ },
    'it answers with I/O errors (read of VERSION: EIO)',
  ],
  [
    'its directory',
    { operation: 'list', errno: 'EIO', path: /disk2$/ },
    'it answers with I/O errors (list of its directory: EIO)',
  ],
  ['LOCK', { operation: 'lock', errno: 'EROFS', path: /disk2/ }, 'its file system is read-only (lock of LOCK: EROFS)'],
  [
    'its space',
    { operation: 'space', errno: 'ESTALE', path: /disk2/ },
    'it does not work (space of its directory: ESTALE)',
  ],
  [
    'a container',
    { operation: 'read', errno: 'EIO', path: /disk2.containers/ },
    'it answers with I/O errors (read of containers/',
  ],
  [
    'its list of containers',
    { operation: 'list', errno: 'EIO', path: /disk2.containers/ },
    'it answers with I/O errors (list of containers: EIO)',
  ],
  [
    'room',
    { operation: 'makeDirectory', errno: 'ENOSPC', path: /disk2/ },
    'it has no room at all (makeDirectory of containers: ENOSPC)',
  ],
]

describe('the datanode starts without a disk that fails at', () => {
  test.each(faults)('%s', (name, fault, problem) =>
    afterStop(async ({ machine, kept, lost }) => {
      machine.node.disk.inject({ ...fault, times: 1_000 })
      const datanode = await machine.start({ lostDisks: 'go-on' })
      await expectContent(datanode, kept)
      await rejection(datanode.readSmall(block(lost), { offset: 0, length: 1 }), 'ContainerNotFound')
      expect(datanode.containers().map(({ id }) => id)).toEqual([kept])
      expect(datanode.disks()).toMatchObject([
        { path: '/disk1', state: 'healthy' },
        { path: '/disk2', state: 'failed', problem: expect.stringContaining(problem) as unknown },
      ])
      await datanode.writeBlock(block(3), [content])
      // What may be on it is not called deleted.
      expect(datanode.isPerhapsAway(lost)).toBe(true)
      await datanode.close()
    }),
  )
})

test('when it works again, all is there', () =>
  afterStop(async ({ machine, kept, lost }) => {
    const mend = machine.node.disk.inject({ operation: 'read', errno: 'EIO', path: /disk2.VERSION/, times: 1_000 })
    const without = await machine.start({ lostDisks: 'go-on' })
    expect(without.awayDisks).toHaveLength(1)
    await without.close()
    mend()
    const whole = await machine.start({ lostDisks: 'go-on', returned: ['/disk2'] })
    await expectContent(whole, kept)
    await expectContent(whole, lost)
    expect(whole.awayDisks).toEqual([])
    await whole.close()
  }))

describe('it does not start', () => {
  const bothAway = /^none of the disks can be used: \/disk1: it answers with I\/O errors.*; \/disk2: it answers with/

  test('when no disk works', () =>
    afterStop(async ({ machine }) => {
      machine.node.disk.inject({ operation: 'read', errno: 'EIO', path: /VERSION/, times: 1_000 })
      const error = await rejection(machine.start({ lostDisks: 'go-on' }), 'Damaged')
      expect(error.message).toMatch(bothAway)
    }))

  test('when nobody else has what is on the disk', () =>
    afterStop(async ({ machine, kept }) => {
      const mend = machine.node.disk.inject({ operation: 'read', errno: 'EIO', path: /disk2.VERSION/ })
      const error = await rejection(machine.start(), 'Damaged')
      expect(error.message).toBe('the disk /disk2 cannot be used: it answers with I/O errors (read of VERSION: EIO)')
      mend()
      // Nothing is locked.
      await expectContent(await machine.start(), kept)
    }))

  test.each([
    ["somebody else's", 'Incompatible', /belongs to datanode dn-7/],
    ["somebody else's, also beside one that fails", 'Incompatible', /belongs to datanode dn-7/],
  ] as const)('with a disk that is %s', (name, code, message) =>
    afterStop(async ({ machine }) => {
      const other = await machine.start({ disks: ['/disk7'], datanodeId: 'dn-7' })
      await other.close()
      if (name.includes('beside')) machine.node.disk.inject({ operation: 'read', errno: 'EIO', path: /disk1.VERSION/ })
      const start = machine.start({ disks: ['/disk1', '/disk7', '/disk2'], lostDisks: 'go-on' })
      expect((await rejection(start, code)).message).toMatch(message)
      await (await machine.start()).close()
    }),
  )

  test('with a directory that has a VERSION of another program', () =>
    afterStop(async ({ machine }) => {
      const { disk } = machine.env
      await disk.makeDirectory('/disk8')
      const file = await disk.open('/disk8/VERSION', 'create')
      await file.write([new TextEncoder().encode('1.2.3\n')], 0)
      await file.close()
      const start = machine.start({ disks: ['/disk1', '/disk8'], lostDisks: 'go-on' })
      expect((await rejection(start, 'Incompatible')).message).toMatch(/\/disk8 has a VERSION that is not O3's/)
    }))

  test('while another process has a disk, or this one has no descriptors', () =>
    afterStop(async ({ machine }) => {
      machine.node.disk.inject({ operation: 'open', errno: 'EMFILE', path: /disk2.VERSION/ })
      await rejection(machine.start({ lostDisks: 'go-on' }), 'Unavailable')
      const running = await machine.start()
      await rejection(machine.start({ lostDisks: 'go-on' }), 'Busy')
      await running.close()
    }))
})

test('an identity that is damaged is a disk that has failed, and is left as it is', () =>
  afterStop(async ({ machine, kept }) => {
    const { disk } = machine.env
    const file = await disk.open('/disk2/VERSION', 'read-write')
    await file.write([new Uint8Array(200)], 0)
    await file.close()
    const datanode = await machine.start({ lostDisks: 'go-on' })
    await expectContent(datanode, kept)
    expect(datanode.awayDisks).toEqual([{ path: '/disk2', why: 'VERSION is not readable' }])
    await datanode.close()
  }))
