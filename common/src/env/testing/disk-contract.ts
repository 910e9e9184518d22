import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Disk } from '../env.ts'
import type { Drive } from './drive.ts'

export interface DiskUnderTest {
  /** With an empty root. */
  readonly disk: Disk
  readonly drive: Drive
  discard(): Promise<void>
}

/** The suite of `Disk` and `DiskFile`, as far as a process sees them; crashes are tested where they can be made. */
export function diskContract(name: string, open: () => Promise<DiskUnderTest>): void {
  describe(`the disk contract: ${name}`, () => {
    let under: DiskUnderTest
    let disk: Disk
    beforeEach(async () => {
      under = await open()
      disk = under.disk
    })
    afterEach(() => under.discard())

    const on = (title: string, body: () => Promise<void>): void => test(title, () => under.drive(body))

    on('reads back what was written, piece by piece, at any offset', async () => {
      const file = await disk.open('f', 'create')
      await file.write([bytes(1, 2), bytes(), bytes(3)], 0)
      await file.write([bytes(9)], 6)
      expect(await file.size()).toBe(7)
      const target = new Uint8Array(10).fill(255)
      expect(await file.read(target, 0)).toBe(7)
      expect([...target]).toEqual([1, 2, 3, 0, 0, 0, 9, 255, 255, 255])
      expect(file.readNow(target, 2)).toBe(5)
      expect([...target.subarray(0, 5)]).toEqual([3, 0, 0, 0, 9])
      expect(await file.read(target, 7)).toBe(0)
      expect(file.readNow(target, 1000)).toBe(0)
      expect(await file.read(new Uint8Array(0), 0)).toBe(0)
      await file.write([], 0)
      await file.close()
    })

    on('writes more pieces than the kernel takes at once', async () => {
      const file = await disk.open('f', 'create')
      const pieces = Array.from({ length: 3_000 }, (_, i) => new Uint8Array(i % 5).fill(i % 251))
      await file.write(pieces, 3)
      const expected = Buffer.concat(pieces)
      const target = new Uint8Array(expected.length)
      expect(await file.read(target, 3)).toBe(expected.length)
      expect(expected.equals(target)).toBe(true)
      await file.close()
    })

    on('a file that is opened again has its bytes', async () => {
      await createWith(disk, 'f', bytes(1, 2, 3))
      for (const mode of ['read', 'read-write'] as const) {
        const file = await disk.open('f', mode)
        const target = new Uint8Array(3)
        await file.read(target, 0)
        expect([...target]).toEqual([1, 2, 3])
        await file.close()
      }
    })

    on('truncate cuts, and extends with zeros', async () => {
      const file = await disk.open('f', 'create')
      await file.write([bytes(1, 2, 3, 4)], 0)
      await file.truncate(2)
      await file.truncate(4)
      const target = new Uint8Array(4)
      expect(await file.read(target, 0)).toBe(4)
      expect([...target]).toEqual([1, 2, 0, 0])
      await file.close()
    })

    on('close waits for what is under way, and is final', async () => {
      const file = await disk.open('f', 'create')
      const big = new Uint8Array(4 * 1024 * 1024).fill(7)
      const written = file.write([big], 0)
      const closed = file.close()
      await expect(file.write([bytes(1)], 0)).rejects.toMatchObject(failure('EBADF'))
      expect(() => file.readNow(big, 0)).toThrow(expect.objectContaining(failure('EBADF')))
      await Promise.all([written, closed])
      await file.close()
      for (const late of [file.read(big, 0), file.sync(), file.truncate(0), file.size()]) {
        await expect(late).rejects.toMatchObject(failure('EBADF'))
      }
      expect(await disk.stat('f')).toEqual({ kind: 'file', sizeBytes: big.length })
    })

    on('a file opened for reading is not writable', async () => {
      await createWith(disk, 'f', bytes(1))
      const file = await disk.open('f', 'read')
      await expect(file.write([bytes(2)], 0)).rejects.toMatchObject(failure('EBADF'))
      await expect(file.truncate(0)).rejects.toMatchObject(failure('EINVAL'))
      await file.sync()
      await file.close()
    })

    on('open says what is wrong', async () => {
      await disk.makeDirectory('d')
      await createWith(disk, 'f', bytes(1))
      await expect(disk.open('none', 'read')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.open('none', 'read-write')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.open('none/x', 'create')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.open('f/x', 'create')).rejects.toMatchObject(failure('ENOTDIR'))
      await expect(disk.open('f', 'create')).rejects.toMatchObject(failure('EEXIST'))
      await expect(disk.open('d', 'create')).rejects.toMatchObject(failure('EEXIST'))
      await expect(disk.open('d', 'read')).rejects.toMatchObject(failure('EISDIR'))
      await expect(disk.open('d', 'read-write')).rejects.toMatchObject(failure('EISDIR'))
      await expect(disk.open('n'.repeat(256), 'create')).rejects.toMatchObject(failure('ENAMETOOLONG'))
    })

    on('an error names operation and path, in the words of the caller', async () => {
      await expect(disk.open('none', 'read')).rejects.toMatchObject({
        code: 'InvalidArgument',
        details: { errno: 'ENOENT', operation: 'open', path: 'none' },
      })
    })

    on('stat tells files from directories from nothing', async () => {
      await disk.makeDirectory('d/e')
      await createWith(disk, 'd/f', bytes(1, 2))
      expect(await disk.stat('d/e')).toEqual({ kind: 'directory', sizeBytes: 0 })
      expect(await disk.stat('d/f')).toEqual({ kind: 'file', sizeBytes: 2 })
      expect(await disk.stat('d/none')).toBeUndefined()
      expect(await disk.stat('d/f/below')).toBeUndefined()
    })

    on('list gives names in byte order', async () => {
      // U+FF5E sorts behind U+1F600 as UTF-16 units, and before it as bytes.
      const names = ['a', 'b', 'a-b', 'a.b', 'B', 'ä', '\uff5e', '\u{1f600}']
      await disk.makeDirectory('d/sub')
      for (const file of names) await createWith(disk, `d/${file}`, bytes())
      expect(await disk.list('d')).toEqual(['B', 'a', 'a-b', 'a.b', 'b', 'sub', 'ä', '\uff5e', '\u{1f600}'])
      expect(await disk.list('d/sub')).toEqual([])
      await expect(disk.list('none')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.list('d/a')).rejects.toMatchObject(failure('ENOTDIR'))
    })

    on('makeDirectory makes what is missing and accepts what is there', async () => {
      await disk.makeDirectory('a/b/c')
      await disk.makeDirectory('a/b')
      await createWith(disk, 'a/f', bytes())
      await expect(disk.makeDirectory('a/f')).rejects.toMatchObject(failure('EEXIST'))
      await expect(disk.makeDirectory('a/f/g')).rejects.toMatchObject(failure('ENOTDIR'))
      expect(await disk.list('a')).toEqual(['b', 'f'])
    })

    on('rename moves, and replaces a file', async () => {
      await disk.makeDirectory('d')
      await createWith(disk, 'f', bytes(1))
      await createWith(disk, 'd/g', bytes(2, 2))
      await disk.rename('f', 'd/g')
      expect(await disk.stat('f')).toBeUndefined()
      expect(await disk.stat('d/g')).toEqual({ kind: 'file', sizeBytes: 1 })
      await disk.rename('d', 'e')
      expect(await disk.list('e')).toEqual(['g'])
      await disk.rename('e/g', 'e/g')
      expect(await disk.list('e')).toEqual(['g'])
    })

    on('rename says what is wrong', async () => {
      await disk.makeDirectory('d/full')
      await disk.makeDirectory('empty')
      await createWith(disk, 'f', bytes())
      await expect(disk.rename('none', 'x')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.rename('f', 'none/x')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.rename('f', 'd')).rejects.toMatchObject(failure('EISDIR'))
      await expect(disk.rename('d', 'f')).rejects.toMatchObject(failure('ENOTDIR'))
      await expect(disk.rename('empty', 'd')).rejects.toMatchObject(failure('ENOTEMPTY'))
      await expect(disk.rename('d/full', 'd')).rejects.toMatchObject(failure('ENOTEMPTY'))
      await expect(disk.rename('d', 'd/full/x')).rejects.toMatchObject(failure('EINVAL'))
      await disk.rename('d', 'empty')
      expect(await disk.list('empty')).toEqual(['full'])
    })

    on('remove takes a file or an empty directory', async () => {
      await disk.makeDirectory('d')
      await createWith(disk, 'd/f', bytes())
      await expect(disk.remove('d')).rejects.toMatchObject(failure('ENOTEMPTY'))
      await expect(disk.remove('d/none')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.remove('d/f/x')).rejects.toMatchObject(failure('ENOTDIR'))
      await disk.remove('d/f')
      await disk.remove('d')
      expect(await disk.stat('d')).toBeUndefined()
    })

    on('an open file outlives its name', async () => {
      const file = await disk.open('f', 'create')
      await file.write([bytes(5)], 0)
      await disk.remove('f')
      const other = await disk.open('f', 'create')
      const target = new Uint8Array(1)
      expect(await file.read(target, 0)).toBe(1)
      expect(target[0]).toBe(5)
      expect(await other.size()).toBe(0)
      await file.close()
      await other.close()
    })

    on('syncs of files and directories succeed', async () => {
      await disk.makeDirectory('d')
      const file = await disk.open('d/f', 'create')
      await file.write([bytes(1)], 0)
      await Promise.all([file.sync(), file.sync()])
      await disk.syncDirectory('d')
      await disk.syncDirectory('.')
      await file.close()
      await expect(disk.syncDirectory('none')).rejects.toMatchObject(failure('ENOENT'))
      await expect(disk.syncDirectory('d/f')).rejects.toMatchObject(failure('ENOTDIR'))
    })

    on('space tells a total and what is left of it', async () => {
      const { totalBytes, availableBytes } = await disk.space('.')
      expect(totalBytes).toBeGreaterThan(0)
      expect(availableBytes).toBeGreaterThan(0)
      expect(availableBytes).toBeLessThanOrEqual(totalBytes)
      await expect(disk.space('none')).rejects.toMatchObject(failure('ENOENT'))
    })

    on('a lock is held once, until its release', async () => {
      await disk.makeDirectory('d')
      const lock = await disk.lock('d/lock')
      await expect(disk.lock('d/lock')).rejects.toMatchObject({
        code: 'Busy',
        details: { pid: expect.any(Number) as number },
      })
      const other = await disk.lock('d/other')
      await lock.release()
      await lock.release()
      const again = await disk.lock('d/lock')
      await again.release()
      await other.release()
    })

    on('of many who want a lock at once, one gets it', async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => disk.lock('lock')))
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      for (const { value } of winners) await value.release()
    })
  })
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

function failure(errno: string): object {
  return { code: 'InvalidArgument', details: expect.objectContaining({ errno }) as object }
}

async function createWith(disk: Disk, path: string, content: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create')
  await file.write([content], 0)
  await file.close()
}
