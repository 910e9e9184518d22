/** A datanode that starts without one of its disks, and the disk that comes back. */

import { nullLogger } from '@o3/common/logger'
import { expect, test } from 'vitest'
import { ScmCommands } from '../../src/reconcilers/scm-commands.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { auditDatanode } from '../harness/audit.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { Machine } from '../harness/machine.ts'

const content = patternOf(1, 10_000)
const block = (container: number, local = 1) => ({ container, local })

/** After two containers were written, one on each of two disks, and the second disk went away. */
function afterLoss(run: (scene: Scene) => Promise<void>): Promise<void> {
  const machine = new Machine({ seed: 'away-disks', disks: ['/disk1', '/disk2'] })
  return machine.run(async () => {
    const whole = await machine.start()
    for (const container of [1, 2]) await whole.writeBlock(block(container), [content])
    const [kept = 0] = whole.dataDisks[0]?.containers.keys() ?? []
    const [lost = 0] = whole.dataDisks[1]?.containers.keys() ?? []
    await whole.close()
    const away = [{ path: '/disk2', why: 'it was pulled' }]
    await run({ machine, kept, lost, datanode: await machine.start({ disks: ['/disk1'], away }) })
    await machine.datanode.close()
  })
}

interface Scene {
  readonly machine: Machine
  readonly datanode: LocalDatanode
  readonly kept: number
  readonly lost: number
}

async function expectContent(datanode: LocalDatanode, container: number): Promise<void> {
  const read = await datanode.readSmall(block(container), { offset: 0, length: content.length })
  expect(sameBytes(read, content)).toBe(true)
}

test('the others are served, and the one that is away is reported as failed', () =>
  afterLoss(async ({ datanode, kept, lost }) => {
    await expectContent(datanode, kept)
    await rejection(datanode.readSmall(block(lost), { offset: 0, length: 1 }), 'ContainerNotFound')
    expect(datanode.disks()).toMatchObject([
      { path: '/disk1', state: 'healthy' },
      { path: '/disk2', state: 'failed', totalBytes: 0 },
    ])
    expect(datanode.containers().map(({ id }) => id)).toEqual([kept])
    await datanode.writeBlock(block(3), [content])
  }))

test('what may be on it is not called deleted', () =>
  afterLoss(async ({ machine, datanode, kept, lost }) => {
    const commands = new ScmCommands({ env: machine.env, datanode, log: nullLogger })
    const deletion = (transaction: number, container: number) =>
      ({ kind: 'delete-blocks', transaction, blocks: [{ container, firstLocal: 1, count: 1 }] }) as const
    commands.take({ term: 1, commands: [deletion(7, kept), deletion(8, lost)] })
    await machine.simulation.clock.sleep(1_000)
    expect(commands.doneDeletions).toEqual([7])
    await rejection(datanode.readSmall(block(kept), { offset: 0, length: 1 }), 'BlockNotFound')
  }))

test('when it comes back, all is there', () =>
  afterLoss(async ({ machine, datanode, kept, lost }) => {
    await datanode.close()
    const whole = await machine.start({ returned: ['/disk2'] })
    await expectContent(whole, kept)
    await expectContent(whole, lost)
    expect(whole.awayDisks).toEqual([])
  }))

test('when one of its containers was made anew meanwhile, and may lack something, it is left as it is', () =>
  afterLoss(async ({ machine, datanode, lost }) => {
    await datanode.writeBlock(block(lost, 2), [content])
    await datanode.close()
    const again = await machine.start({ returned: ['/disk2'] })
    expect(again.awayDisks).toEqual([
      {
        path: '/disk2',
        why: `while it was away, container ${lost} was made anew on another disk, and is not whole there`,
      },
    ])
    expect(await again.listBlocks(lost)).toMatchObject([{ block: block(lost, 2) }])
    // Whoever wants what it had finds it there.
    await again.close()
    const alone = await machine.start({ disks: ['/disk2'] })
    await expectContent(alone, lost)
  }))

test('when one of its containers was made anew meanwhile, and is whole, the older one is set aside', () =>
  afterLoss(async ({ machine, datanode, kept, lost }) => {
    await datanode.writeBlock(block(lost, 2), [content])
    await datanode.dataDisks[0]?.containers.get(lost)?.close({ how: 'agreed' })
    await datanode.close()
    let again = await machine.start({ returned: ['/disk2'] })
    for (let start = 0; start < 2; start++) {
      expect(again.awayDisks).toEqual([])
      expect(again.containers().map(({ id }) => id)).toEqual([kept, lost].toSorted((a, b) => a - b))
      expect(again.dataDisks.map(({ containers }) => [...containers.keys()])).toEqual([[kept, lost], []])
      expect(await again.listBlocks(lost)).toMatchObject([{ block: block(lost, 2) }])
      expect(again.findings()).toMatchObject([{ kind: 'quarantined', container: lost }])
      await again.close()
      again = await machine.start()
    }
    // It may come there again.
    expect(again.dataDisks[1]?.wasDeleted(lost)).toBe(false)
    await auditDatanode(again)
  }))

test('when the machine goes down while it is set aside, that is done again', async () => {
  let isOver = false
  const seen = new Set<boolean>()
  for (let afterMs = 0; !isOver; afterMs++) {
    await afterLoss(async ({ machine, datanode, kept, lost }) => {
      await datanode.dataDisks[0]?.createContainer(lost)
      await datanode.dataDisks[0]?.containers.get(lost)?.close({ how: 'agreed' })
      await datanode.close()
      const { node } = machine
      const cancel = machine.simulation.clock.after(afterMs, () => node.crash())
      isOver = (await node.whileUp(machine.start({ returned: ['/disk2'] }))) !== 'down'
      cancel()
      if (isOver) await machine.datanode.close()
      seen.add(node.disk.durable(`/disk2/containers/${lost}.1.cnt`) !== undefined)
      const again = await machine.start({ returned: ['/disk2'] })
      expect(again.awayDisks).toEqual([])
      expect(again.dataDisks.map(({ containers }) => [...containers.keys()])).toEqual([[kept, lost], []])
      await auditDatanode(again)
    })
  }
  expect(seen).toEqual(new Set([true, false]))
})
