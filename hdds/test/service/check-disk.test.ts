import { describe, expect, test } from 'vitest'
import { encodeRewrittenBytes } from '../../src/core/rewritten-bytes.ts'
import { checkDisk } from '../../src/storage/check-disk.ts'
import type { DiskCheck } from '../../src/storage/check-disk.ts'
import { replaceChecked } from '../../src/storage/checked-file.ts'
import { patternOf } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { Machine } from '../harness/machine.ts'
import { withDatanode } from '../harness/with-datanode.ts'
import type { Scene } from '../harness/with-datanode.ts'

const block = (local: number, container = 1) => ({ container, local })
const file = '/disk1/containers/1.1.cnt'

/** Some blocks, a deletion, a closed container; then `change` on the stopped machine; then the check, twice. */
async function check(change: (machine: Machine) => Promise<void>): Promise<DiskCheck> {
  let result: DiskCheck | undefined
  await withDatanode(async ({ datanode, machine }: Scene) => {
    for (let local = 1; local <= 4; local++) await datanode.writeBlock(block(local), [patternOf(local, 2000)])
    const writer = await datanode.openWriter(block(9, 2))
    for (let i = 0; i < 3; i++) await writer.write([patternOf(i, 3000)])
    await writer.commit()
    await datanode.deleteBlocks([{ container: 1, firstLocal: 2, count: 1 }])
    await datanode.closeContainer(1)
    await datanode.close()
    await change(machine)
    machine.node.kill()
    machine.node.boot()
    const before = await contents(machine)
    const openKv = (path: string) => machine.node.openKv(path)
    result = await checkDisk({ env: machine.env, openKv }, '/disk1')
    const { problems, containers } = await checkDisk({ env: machine.env }, '/disk1')
    expect(containers).toEqual(result.containers)
    // Without the index nobody knows what should be there and is not.
    const fromIndex = /index|missing|were durable/
    expect(problems).toEqual(result.problems.filter(({ kind, message }) => !fromIndex.test(`${kind} ${message}`)))
    expect(await contents(machine)).toEqual(before)
  })
  return result!
}

async function contents({ env }: Machine): Promise<readonly (readonly [string, string])[]> {
  const files: [string, string][] = []
  for (const name of await env.disk.list('/disk1/containers')) {
    if (!name.endsWith('.cnt')) continue
    const handle = await env.disk.open(`/disk1/containers/${name}`, 'read')
    const bytes = new Uint8Array(await handle.size())
    await handle.read(bytes, 0)
    await handle.close()
    files.push([name, Buffer.from(bytes).toString('base64')])
  }
  return files
}

async function patch(machine: Machine, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await machine.env.disk.open(file, 'read-write')
  await handle.write([bytes], offset)
  await handle.close()
}

describe('the offline checker', () => {
  test('reads what a start was writing again when it ended in its note, and not where it may be torn', async () => {
    const torn = async (machine: Machine, isNoted: boolean) => {
      const handle = await machine.env.disk.open(file, 'read')
      const bytes = new Uint8Array(700)
      await handle.read(bytes, 1000)
      await handle.close()
      await patch(machine, 1024, new Uint8Array(512).fill(7))
      const body = encodeRewrittenBytes({ name: { container: 1, generation: 1 }, from: 1000, bytes })
      if (isNoted) await replaceChecked(machine.env, { directory: '/disk1', name: 'REWRITE' }, body)
    }
    expect((await check((machine) => torn(machine, false))).problems).not.toEqual([])
    expect((await check((machine) => torn(machine, true))).problems).toEqual([])
  })

  test('finds nothing wrong with a sound disk, and says what is on it', async () => {
    const found = await check(() => Promise.resolve())
    expect(found).toMatchObject({ path: '/disk1', problems: [], indexChecked: true })
    expect(found.identity).toMatchObject({ clusterId: 'cluster-1', datanodeId: 'dn-1' })
    expect(found.containers).toMatchObject([
      { container: 1, generation: 1, path: file, sealed: true, blocks: 3, tailBytes: 0 },
      { container: 2, sealed: false, blocks: 1 },
    ])
    expect(found.containers[1]!.tailBytes).toBeGreaterThan(1000) // preallocated
  })

  test('names a damaged block with its file and offset', async () => {
    const found = await check((machine) => patch(machine, 60 + 500, Uint8Array.of(1)))
    expect(found.problems).toMatchObject([
      { kind: 'damaged-block', path: file, container: 1, local: 1, fileOffset: 60 },
    ])
  })

  test('names a damaged header, and the blocks that only the index still knows', async () => {
    const found = await check((machine) => patch(machine, 4, Uint8Array.of(77)))
    expect(found.problems).toMatchObject([
      { kind: 'damaged-range', path: file, fileOffset: 0 },
      { kind: 'index-mismatch', container: 1, local: 1 },
    ])
  })

  test('sees what a file has lost', async () => {
    const found = await check(async (machine) => {
      const handle = await machine.env.disk.open(file, 'read-write')
      await handle.truncate(3000)
      await handle.close()
    })
    expect(found.problems.map(({ kind, local }) => [kind, local])).toEqual([
      ['damaged-range', undefined],
      ['index-mismatch', 3],
      ['index-mismatch', 4],
    ])
  })

  test('sees a missing file and a strange one', async () => {
    const found = await check(async ({ env }) => {
      await env.disk.remove(file)
      await env.disk.makeDirectory('/disk1/containers/photos')
    })
    expect(found.problems).toMatchObject([
      { kind: 'unknown-file', path: '/disk1/containers/photos' },
      { kind: 'missing-file', container: 1 },
    ])
  })

  test('of an empty directory has nothing to say, and of a stranger’s refuses', async () => {
    const machine = new Machine({ seed: 1 })
    await machine.run(async () => {
      machine.node.boot()
      expect(await checkDisk({ env: machine.env }, '/disk1')).toMatchObject({ identity: undefined, problems: [] })
      await machine.env.disk.makeDirectory('/disk1/photos')
      await rejection(checkDisk({ env: machine.env }, '/disk1'), 'Incompatible')
    })
  })
})
