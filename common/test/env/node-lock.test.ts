import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judgeHolder, takeLock, type HolderState, type LockHolder } from '../../src/env/node/node-lock.ts'

const self: LockHolder = {
  version: 1,
  nonce: 'self',
  pid: 10,
  startTicks: '500',
  bootId: 'boot',
  pidNamespace: 'pid:[1]',
  host: 'here',
}

describe('a holder', () => {
  test.each<[string, Partial<LockHolder>, string | undefined, HolderState]>([
    ['that runs is alive', {}, '500', 'alive'],
    ['whose pid is free is dead', {}, undefined, 'dead'],
    ['whose pid is now another process is dead', {}, '777', 'dead'],
    ['of before a reboot is dead', { bootId: 'earlier' }, '500', 'dead'],
    ['of this container before its restart is dead', { pidNamespace: 'pid:[2]' }, '500', 'dead'],
    ['of another host cannot be judged', { host: 'there', bootId: 'other' }, '500', 'elsewhere'],
    ['of another container cannot be judged', { host: 'there', pidNamespace: 'pid:[2]' }, '500', 'elsewhere'],
  ])('%s', (_, holder, startTicks, expected) => {
    expect(judgeHolder({ ...self, ...holder }, self, () => startTicks)).toBe(expected)
  })
})

describe('a lock file', () => {
  let directory: string
  let path: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'o3-lock-'))
    path = join(directory, 'lock')
  })
  afterEach(() => rm(directory, { recursive: true }))

  const module = join(import.meta.dirname, '../../src/env/node/node-lock.ts')
  const holding = `
    const { takeLock } = await import(${JSON.stringify(module)})
    await takeLock(process.argv[1])
    process.stdout.write('held')
    setInterval(() => {}, 1000)
  `

  test('of another process is Busy while it lives, and taken over when it was killed', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', holding, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      await expect(takeLock(path)).rejects.toMatchObject({ code: 'Busy', details: { pid: child.pid } })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    const lock = await takeLock(path)
    await expect(takeLock(path)).rejects.toMatchObject({ code: 'Busy', details: { pid: process.pid } })
    await lock.release()
    expect(await readdir(directory)).toEqual([])
  })

  /** A lock file as this process would make it, but for what is given. */
  async function leave(at: string, changes: Partial<LockHolder>): Promise<void> {
    const lock = await takeLock(at)
    const holder = JSON.parse(await readFile(at, 'utf8')) as LockHolder
    await lock.release()
    await writeFile(at, JSON.stringify({ ...holder, ...changes }))
  }

  test('of a dead holder is taken over by exactly one of many', async () => {
    for (let round = 0; round < 10; round++) {
      await leave(path, { startTicks: '1', nonce: 'dead' })
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => takeLock(path)))
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      await winners[0]?.value.release()
      expect(await readdir(directory)).toEqual([])
    }
  })

  test('is taken over even where an earlier taker died half-way', async () => {
    await leave(path, { startTicks: '1', nonce: 'dead' })
    await leave(`${path}.dead`, { startTicks: '1', nonce: 'dead-taker' })
    const lock = await takeLock(path)
    expect(await readdir(directory)).toEqual(['lock'])
    await lock.release()
  })

  test('of a holder elsewhere is Busy, and the message names the file', async () => {
    await leave(path, { host: 'elsewhere', bootId: 'other' })
    await expect(takeLock(path)).rejects.toThrow(`if that process is gone, remove ${path}`)
  })

  test.each(['', '{}', 'null', '{"version":1,"pid":"1"}'])('that is not ours (%j) is Damaged', async (content) => {
    await writeFile(path, content)
    await expect(takeLock(path)).rejects.toMatchObject({ code: 'Damaged' })
    expect(await readdir(directory)).toEqual(['lock'])
  })

  test('in a directory that does not exist is InvalidArgument', async () => {
    await expect(takeLock(join(directory, 'none', 'lock'))).rejects.toMatchObject({
      code: 'InvalidArgument',
      details: { errno: 'ENOENT' },
    })
  })
})
