import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DiskFile } from '../../src/env/env.ts'
import { SimDisk, SimRandom, type SimDiskOptions } from '../../src/env/sim/sim-env.ts'
import { runOnDisk } from './disk-model.ts'
import { diskPrograms } from './disk-programs.ts'

const sector = 512

async function contentOf(disk: SimDisk, path: string): Promise<Uint8Array | undefined> {
  if ((await disk.stat(path)) === undefined) return undefined
  const file = await disk.open(path, 'read')
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  await file.close()
  return bytes
}

async function createDurable(disk: SimDisk, path: string, content: Uint8Array): Promise<DiskFile> {
  const file = await disk.open(path, 'create')
  await file.write([content], 0)
  await file.sync()
  await disk.syncDirectory('.')
  return file
}

/** What `look` finds after a crash of what `prepare` did: every outcome over many seeds, sorted. */
async function outcomes(
  prepare: (disk: SimDisk) => Promise<void>,
  look: (disk: SimDisk) => Promise<string>,
  options: SimDiskOptions = {},
): Promise<string[]> {
  const seen = new Set<string>()
  for (let seed = 0; seed < 400; seed++) {
    const disk = new SimDisk({ random: new SimRandom(seed), ...options })
    await prepare(disk)
    seen.add(await look(disk.crash()))
  }
  return [...seen].toSorted()
}

const fill = (byte: number, sectors = 1): Uint8Array => new Uint8Array(sectors * sector).fill(byte)
const namesIn = async (disk: SimDisk): Promise<string> => (await disk.list('.')).join(' ')

/** One letter per sector: the byte that fills it, or `?` for a mixture. */
async function sectorsOf(disk: SimDisk, path: string): Promise<string> {
  const bytes = await contentOf(disk, path)
  if (bytes === undefined) return 'no file'
  let letters = ''
  for (let at = 0; at < bytes.length; at += sector) {
    const part = bytes.subarray(at, at + sector)
    letters += part.every((byte) => byte === part[0]) ? String(part[0]) : '?'
  }
  return letters
}

describe('bytes after a power cut', () => {
  test('with a sync: always there', async () => {
    const found = await outcomes(
      async (disk) => void (await createDurable(disk, 'f', fill(1, 3))),
      (disk) => sectorsOf(disk, 'f'),
    )
    expect(found).toEqual(['111'])
  })

  test('without a sync, an overwritten sector is old, new or garbage, each on its own', async () => {
    const found = await outcomes(
      async (disk) => {
        const file = await createDurable(disk, 'f', fill(1, 2))
        await file.write([fill(2, 2)], 0)
      },
      (disk) => sectorsOf(disk, 'f'),
    )
    expect(found).toEqual(expect.arrayContaining(['11', '12', '21', '22', '?1', '2?']))
    expect(found.every((letters) => /^[12?]{2}$/.test(letters))).toBe(true)
  })

  test('an append that was not synced has the old length or the new, and may be a hole', async () => {
    const found = await outcomes(
      async (disk) => {
        const file = await createDurable(disk, 'f', fill(1))
        await file.write([fill(2)], sector)
      },
      (disk) => sectorsOf(disk, 'f'),
    )
    expect(found).toEqual(['1', '10', '12', '1?'])
  })

  test('of two versions that were not synced, either may be found', async () => {
    const found = await outcomes(
      async (disk) => {
        const file = await createDurable(disk, 'f', fill(1))
        await file.write([fill(2)], 0)
        await file.write([fill(3)], 0)
      },
      (disk) => sectorsOf(disk, 'f'),
    )
    expect(found).toEqual(['1', '2', '3', '?'])
  })

  test('synced bytes survive garbage beside them in their sector', async () => {
    const survived = (content: Uint8Array | undefined): string =>
      String(content?.subarray(0, 100).every((byte) => byte === 1))
    const prepare = async (disk: SimDisk): Promise<void> => {
      const file = await createDurable(disk, 'f', new Uint8Array(100).fill(1))
      await file.write([new Uint8Array(100).fill(2)], 100)
    }
    const look = async (disk: SimDisk): Promise<string> => survived(await contentOf(disk, 'f'))
    expect(await outcomes(prepare, look)).toEqual(['true'])
    expect(await outcomes(prepare, look, { wholeSectorGarbage: true })).toEqual(['false', 'true'])
  })

  test('a truncation that was not synced happened or did not; what was cut never comes back behind new bytes', async () => {
    const found = await outcomes(
      async (disk) => {
        const file = await createDurable(disk, 'f', fill(1, 4))
        await file.truncate(sector)
        await file.write([fill(2)], 3 * sector)
      },
      (disk) => sectorsOf(disk, 'f'),
    )
    // As before; cut; cut and extended again, with a hole in between.
    expect(found).toEqual(['1', '1000', '1002', '100?', '1111'])
  })

  test('a sync covers the writes that had completed when it was called, and no later ones', async () => {
    const found = await outcomes(
      async (disk) => {
        const file = await createDurable(disk, 'f', fill(1, 2))
        await file.write([fill(2)], 0)
        const synced = file.sync()
        await file.write([fill(3)], sector)
        await synced
      },
      (disk) => sectorsOf(disk, 'f'),
    )
    expect(found).toEqual(['21', '23', '2?'])
  })

  test('a later sync that completes first makes the earlier bytes durable too', async () => {
    const waiting: (() => void)[] = []
    const disk = new SimDisk({ pace: (_, complete) => void waiting.push(complete) })
    const step = async <T>(work: Promise<T>, complete = waiting.length - 1): Promise<T> => {
      waiting.splice(complete, 1)[0]?.()
      return work
    }
    const file = await step(disk.open('f', 'create'))
    await step(disk.syncDirectory('.'))
    await step(file.write([fill(1)], 0))
    const first = file.sync()
    await step(file.write([fill(2)], sector))
    await step(file.sync())
    expect(disk.durable('f')?.holds(0, fill(1))).toBe(true)
    expect(disk.durable('f')?.holds(sector, fill(2))).toBe(true)
    await step(first)
    expect(disk.durable('f')?.bytes).toHaveLength(2 * sector)
  })
})

describe('names after a power cut', () => {
  test('a file that was synced, in a directory that was not, may be gone', async () => {
    const found = await outcomes(async (disk) => {
      const file = await disk.open('f', 'create')
      await file.write([fill(1)], 0)
      await file.sync()
    }, namesIn)
    expect(found).toEqual(['', 'f'])
  })

  test('a name that was synced stays, and its file may be empty', async () => {
    const found = await outcomes(
      async (disk) => {
        const file = await disk.open('f', 'create')
        await disk.syncDirectory('.')
        await file.write([fill(1)], 0)
      },
      (disk) => sectorsOf(disk, 'f'),
    )
    expect(found).toEqual(['', '0', '1', '?'])
  })

  test('rename is atomic: the old file or the new one, never none and never both', async () => {
    const found = await outcomes(
      async (disk) => {
        await createDurable(disk, 'f', fill(1))
        await createDurable(disk, 'f.new', fill(2))
        await disk.rename('f.new', 'f')
      },
      async (disk) => `${await namesIn(disk)}: ${await sectorsOf(disk, 'f')}`,
    )
    expect(found).toEqual(['f f.new: 1', 'f: 2'])
  })

  test('between directories it is durable when both are synced', async () => {
    const prepare =
      (...synced: string[]) =>
      async (disk: SimDisk): Promise<void> => {
        await disk.makeDirectory('a')
        await disk.makeDirectory('b')
        await createDurable(disk, 'a/f', fill(1))
        await disk.syncDirectory('a')
        await disk.rename('a/f', 'b/f')
        for (const directory of synced) await disk.syncDirectory(directory)
      }
    const look = async (disk: SimDisk): Promise<string> =>
      `a: ${(await disk.list('a')).join()}; b: ${(await disk.list('b')).join()}`
    expect(await outcomes(prepare('a'), look)).toEqual(['a: ; b: f', 'a: f; b: '])
    expect(await outcomes(prepare('a', 'b'), look)).toEqual(['a: ; b: f'])
  })

  test('a removal may be undone until the directory is synced', async () => {
    const prepare =
      (isSynced: boolean) =>
      async (disk: SimDisk): Promise<void> => {
        await createDurable(disk, 'f', fill(1))
        await disk.remove('f')
        if (isSynced) await disk.syncDirectory('.')
      }
    expect(await outcomes(prepare(false), namesIn)).toEqual(['', 'f'])
    expect(await outcomes(prepare(true), namesIn)).toEqual([''])
  })

  test('a new directory needs its parent synced, and its own names need it synced', async () => {
    const prepare =
      (...synced: string[]) =>
      async (disk: SimDisk): Promise<void> => {
        await disk.makeDirectory('d')
        await disk.open('d/f', 'create')
        for (const directory of synced) await disk.syncDirectory(directory)
      }
    const look = async (disk: SimDisk): Promise<string> =>
      (await disk.stat('d')) === undefined ? 'none' : `d: ${(await disk.list('d')).join()}`
    expect(await outcomes(prepare('d'), look)).toEqual(['d: f', 'none'])
    expect(await outcomes(prepare('.'), look)).toEqual(['d: ', 'd: f'])
    expect(await outcomes(prepare('.', 'd'), look)).toEqual(['d: f'])
  })

  test('any of the operations is kept, or with an ordered journal a prefix', async () => {
    const prepare = async (disk: SimDisk): Promise<void> => {
      for (const name of ['a', 'b', 'c']) await disk.open(name, 'create')
    }
    expect(await outcomes(prepare, namesIn)).toEqual(['', 'a', 'a b', 'a b c', 'a c', 'b', 'b c', 'c'])
    expect(await outcomes(prepare, namesIn, { nameCrash: 'prefix' })).toEqual(['', 'a', 'a b', 'a b c'])
  })

  test('an ordered journal syncs what came before in other directories too', async () => {
    const prepare = async (disk: SimDisk): Promise<void> => {
      await disk.makeDirectory('d')
      await disk.open('f', 'create')
      await disk.open('d/g', 'create')
      await disk.syncDirectory('d')
    }
    expect(await outcomes(prepare, namesIn, { nameCrash: 'prefix' })).toEqual(['d f'])
    expect(await outcomes(prepare, namesIn)).toEqual(['', 'd', 'd f', 'f'])
  })

  test('a file renamed twice is found under one name', async () => {
    const found = await outcomes(async (disk) => {
      await createDurable(disk, 'a', fill(1))
      await disk.rename('a', 'b')
      await disk.rename('b', 'c')
    }, namesIn)
    expect(found).toEqual(['a', 'b', 'c'])
  })

  test('a sync of a directory takes along what an operation in it builds on', async () => {
    const found = await outcomes(
      async (disk) => {
        await disk.makeDirectory('d')
        await disk.syncDirectory('.')
        await createDurable(disk, 'f', fill(1))
        await disk.rename('f', 'd/f')
        await disk.open('f', 'create')
        await disk.syncDirectory('.') // the new f cannot be there while the old one is
      },
      async (disk) => `${await namesIn(disk)}; ${(await disk.list('d')).join()}`,
    )
    expect(found).toEqual(['d f; f'])
  })
})

describe('the process that dies alone', () => {
  test('leaves all it wrote in the page cache, and no more durable than it was', async () => {
    const kept = new Set<boolean>()
    for (let seed = 0; seed < 30; seed++) {
      const disk = new SimDisk({ random: new SimRandom(seed) })
      const file = await createDurable(disk, 'f', fill(1))
      await file.write([fill(2)], 0)
      const lock = await disk.lock('lock')
      const next = disk.restart()
      expect(await sectorsOf(next, 'f')).toBe('2')
      await (await next.lock('lock')).release()
      await expect(file.write([fill(3)], 0)).rejects.toMatchObject({ code: 'VolumeFailed' })
      await expect(disk.stat('f')).rejects.toMatchObject({ code: 'VolumeFailed' })
      await lock.release()
      kept.add((await sectorsOf(next.crash(), 'f')) === '2')
    }
    expect(kept).toEqual(new Set([true, false]))
  })

  test('an operation under way at the cut took effect or did not', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 30; seed++) {
      const disk = new SimDisk({ random: new SimRandom(seed) })
      await disk.open('f', 'create')
      const synced = disk.syncDirectory('.')
      const lost = expect(synced).rejects.toMatchObject({ code: 'VolumeFailed' })
      const next = disk.crash()
      await lost
      found.add(await namesIn(next))
    }
    expect([...found].toSorted()).toEqual(['', 'f'])
  })
})

describe('faults', () => {
  test('a failed sync leaves bytes that read well and are not on the device; the next sync succeeds', async () => {
    const disk = new SimDisk()
    const file = await createDurable(disk, 'f', fill(1))
    await file.write([fill(2)], 0)
    disk.inject({ operation: 'sync', errno: 'EIO' })
    await expect(file.sync()).rejects.toMatchObject({ code: 'Damaged', details: { errno: 'EIO' } })
    await file.sync()
    expect(await sectorsOf(disk, 'f')).toBe('2')
    expect(disk.durable('f')?.holds(0, fill(2))).toBe(false)
    expect(await sectorsOf(disk.crash(), 'f')).toBe('1')
  })

  test('a failed sync of a directory leaves names that the next sync does not cover', async () => {
    const found = await outcomes(async (disk) => {
      await disk.open('f', 'create')
      disk.inject({ operation: 'syncDirectory', errno: 'EIO' })
      await expect(disk.syncDirectory('.')).rejects.toMatchObject({ code: 'Damaged' })
      await disk.open('g', 'create')
      await disk.syncDirectory('.')
    }, namesIn)
    expect(found).toEqual(['f g', 'g'])
  })

  test('a full disk takes what fits, says OutOfSpace, and recovers', async () => {
    const disk = new SimDisk({ capacityBytes: 5 * 4096 })
    const file = await disk.open('f', 'create')
    await file.write([new Uint8Array(3 * 4096)], 0)
    await expect(file.write([new Uint8Array(4 * 4096).fill(1)], 3 * 4096)).rejects.toMatchObject({
      code: 'OutOfSpace',
      details: { errno: 'ENOSPC' },
    })
    expect(await file.size()).toBe(5 * 4096)
    expect(await disk.space('.')).toEqual({ totalBytes: 5 * 4096, availableBytes: 0 })
    await file.write([fill(9)], 0) // overwriting needs no space
    const other = await disk.open('g', 'create')
    await expect(other.write([fill(1)], 0)).rejects.toMatchObject({ code: 'OutOfSpace' })
    await file.truncate(4096)
    await other.write([fill(1)], 0)
    await disk.remove('f')
    expect((await disk.space('.')).availableBytes).toBe(3 * 4096) // still open
    await file.close()
    expect((await disk.space('.')).availableBytes).toBe(4 * 4096)
    disk.capacityBytes = 0
    expect((await disk.space('.')).availableBytes).toBe(0)
  })

  test('space is counted anew after a crash', async () => {
    const disk = new SimDisk({ capacityBytes: 10 * 4096 })
    await createDurable(disk, 'f', new Uint8Array(4096))
    const orphan = await disk.open('orphan', 'create')
    await orphan.write([new Uint8Array(4096)], 0)
    await disk.remove('orphan')
    await disk.syncDirectory('.')
    expect((await disk.crash().space('.')).availableBytes).toBe(9 * 4096)
  })

  test('a write can fail after some of its bytes', async () => {
    const disk = new SimDisk()
    const file = await disk.open('f', 'create')
    disk.inject({ operation: 'write', errno: 'EIO', landedBytes: 3 })
    await expect(file.write([Uint8Array.of(1, 2), Uint8Array.of(3, 4)], 0)).rejects.toMatchObject({ code: 'Damaged' })
    expect(await contentOf(disk, 'f')).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('a fault strikes where and when it is told to', async () => {
    const disk = new SimDisk()
    const a = await disk.open('a', 'create')
    const b = await disk.open('b', 'create')
    const cancel = disk.inject({ operation: 'read', errno: 'EIO', path: /^a$/, after: 1, times: 2 })
    const target = new Uint8Array(1)
    await b.read(target, 0)
    await a.read(target, 0)
    await expect(a.read(target, 0)).rejects.toMatchObject({ code: 'Damaged' })
    expect(() => a.readNow(target, 0)).toThrow(expect.objectContaining({ code: 'Damaged' }))
    await a.read(target, 0)
    cancel()
    disk.inject({ operation: 'open', errno: 'EMFILE' })
    await expect(disk.open('a', 'read')).rejects.toMatchObject({ code: 'Unavailable' })
    const unused = disk.inject({ operation: 'stat', errno: 'EIO' })
    unused()
    await disk.stat('a')
  })

  test('a disk that went read-only refuses changes and serves reads', async () => {
    const disk = new SimDisk()
    const file = await createDurable(disk, 'f', fill(1))
    disk.isReadOnly = true
    const refused = { code: 'VolumeFailed', details: { errno: 'EROFS' } }
    await expect(file.write([fill(2)], 0)).rejects.toMatchObject(refused)
    await expect(file.truncate(0)).rejects.toMatchObject(refused)
    await expect(disk.open('g', 'create')).rejects.toMatchObject(refused)
    await expect(disk.remove('f')).rejects.toMatchObject(refused)
    await expect(disk.rename('f', 'g')).rejects.toMatchObject(refused)
    await expect(disk.makeDirectory('d')).rejects.toMatchObject(refused)
    expect(await sectorsOf(disk, 'f')).toBe('1')
  })

  test('a flipped bit shows in every read, now and after a crash', async () => {
    const disk = new SimDisk()
    const file = await createDurable(disk, 'f', Uint8Array.of(0, 0, 0))
    disk.flip('f', 1, 3)
    const target = new Uint8Array(3)
    await file.read(target, 0)
    expect([...target]).toEqual([0, 8, 0])
    expect(await contentOf(disk.crash(), 'f')).toEqual(Uint8Array.of(0, 8, 0))
  })
})

test('what durable() promises holds after every crash, whatever was done before', async () => {
  let promised = 0
  await fc.assert(
    fc.asyncProperty(diskPrograms, diskPrograms, fc.nat(), async (before, later, seed) => {
      const disk = new SimDisk({ random: new SimRandom(seed), nameCrash: seed % 2 === 0 ? 'any' : 'prefix' })
      const synced = ['', 'd', 'd/e'].map((path) => ({ kind: 'syncDirectory', path }) as const)
      const files = [0, 1, 2].map((file) => ({ kind: 'sync', file }) as const)
      await runOnDisk(disk, [...before, ...synced, ...files, ...later])
      const paths = ['a', 'b', 'd/a', 'd/b', 'd/e/a', 'c/d/e']
      const certain = paths.flatMap((path) => {
        const durable = disk.durable(path)
        if (durable === undefined) return []
        const offsets = Array.from(durable.bytes.keys()).filter((at) =>
          durable.holds(at, durable.bytes.subarray(at, at + 1)),
        )
        return [{ path, bytes: durable.bytes, offsets }]
      })
      const after = disk.crash()
      for (const { path, bytes, offsets } of certain) {
        const content = await contentOf(after, path)
        expect(content, path).toBeDefined()
        for (const at of offsets) if (content?.[at] !== bytes[at]) expect.fail(`${path} lost byte ${at}`)
        promised += 1 + offsets.length
      }
      // What a crash left is on the device.
      const names = await after.list('')
      expect(await after.crash().list('')).toEqual(names)
    }),
    { numRuns: 700 },
  )
  expect(promised).toBeGreaterThan(1_000)
})
