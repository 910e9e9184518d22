import type { Disk } from '@o3/common/env'
import type { KvStore } from '@o3/common/kv'
import { describe, expect, test } from 'vitest'
import { decodeIdRanges } from '../../src/core/id-ranges.ts'
import { runLives } from '../harness/lives.ts'
import type { Machine } from '../harness/machine.ts'
import type { LivesOptions } from '../harness/lives.ts'
import { kindsIn, plantedDisk } from '../harness/planted-disk.ts'
import type { PlantedBug } from '../harness/planted-disk.ts'

/** The crash programs are worth what they catch: each of these bugs must break a promise within so many of them. */
const seedsAllowed = 400

const isContainer = (path: string): boolean => path.endsWith('.cnt')
const isContainersDirectory = (path: string): boolean => path.endsWith('/containers')
const nothing = (): Promise<void> => Promise.resolve()

let starting = false
const isStarting = (): boolean => starting

/** From now on until recovery has ended, `isStarting` is true. */
function untilRecovered({ node }: Machine): void {
  const before = node.onSite
  starting = true
  node.onSite = (site, hit) => {
    if (site === 'hdds.recover.before-checkpoint') starting = false
    return before(site, hit)
  }
}

function failsToSync({ node, simulation }: Machine): void {
  const after = simulation.random.below(6)
  node.disk.inject({ operation: 'sync', errno: 'EIO', path: /\.cnt$/, after })
}

const onDisk = (bug: PlantedBug): Partial<LivesOptions> => ({ wrapDisk: (disk: Disk) => plantedDisk(disk, bug) })

/** Leaves out the sync behind a write with a record of this kind. */
const unsynced = (kind: number): Partial<LivesOptions> =>
  onDisk({ sync: (file, real) => (kindsIn(file.lastPieces).includes(kind) ? nothing() : real()) })

/** Files of copies have the names of whole containers from the start. */
function namedTooEarly(disk: Disk): Disk {
  const named = (path: string): string => path.replace(/\.copy$/, '.cnt')
  return {
    ...plantedDisk(disk, {}),
    open: (path, mode) => disk.open(named(path), mode),
    rename: (from, to) => (named(from) === to ? nothing() : disk.rename(from, to)),
    remove: (path) => disk.remove(named(path)),
  }
}

/** Nothing is ever struck from the list of the deleted: neither when a copy is shown, nor at a start. */
function neverStruck(disk: Disk): Disk {
  return {
    ...plantedDisk(disk, {}),
    rename: async (from, to) => {
      const shrinks = to.endsWith('/DELETED') && (await listedIds(disk, from)) < (await listedIds(disk, to))
      await (shrinks ? disk.remove(from) : disk.rename(from, to))
    },
  }
}

async function listedIds(disk: Disk, path: string): Promise<number> {
  if ((await disk.stat(path)) === undefined) return 0
  const file = await disk.open(path, 'read')
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  await file.close()
  return decodeIdRanges(bytes.subarray(4)).all.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

const bugs: Readonly<Record<string, Partial<LivesOptions>>> = {
  'no sync before the acknowledgement of a block': unsynced(1),
  'no sync behind a commit': unsynced(2),
  'a tombstone is not synced': unsynced(3),
  'a seal is not synced': unsynced(4),
  'the sync does not wait for the write': onDisk({
    write: (file, real) => (isContainer(file.path) ? void real() : real()) ?? nothing(),
  }),
  'only every other sync is one': onDisk({
    sync: (file, real) => (isContainer(file.path) && file.syncs % 2 === 0 ? nothing() : real()),
  }),
  'a new container is used before its name is durable': onDisk({
    syncDirectory: (path, real) => (isContainersDirectory(path) ? nothing() : real()),
  }),
  'the directories above a new disk are not synced': onDisk({
    syncDirectory: (path, real) => (path === '/' ? nothing() : real()),
  }),
  'the directory of the disk is not synced': onDisk({
    syncDirectory: (path, real) => (path === '/disk1' ? nothing() : real()),
  }),
  'compaction does not sync the new file': onDisk({
    sync: (file, real) => (file.path.endsWith('.unfinished') && !file.path.includes('VERSION') ? nothing() : real()),
  }),
  'compaction removes the old file before the new one is durable': onDisk({
    create: async (path, disk) => {
      const match = /^(.*\.)(\d+)\.unfinished$/.exec(path)
      if (match !== null) await disk.remove(`${match[1]}${Number(match[2]) - 1}.cnt`)
    },
  }),
  'recovery shows what is only in the page cache': {
    ...onDisk({
      write: (file, real) => (isContainer(file.path) && isStarting() ? nothing() : real()),
      sync: (file, real) => (isContainer(file.path) && isStarting() ? nothing() : real()),
    }),
    onStart: untilRecovered,
    endAt: [
      { site: 'hdds.write.before-sync', verdict: 'kill' },
      { site: 'hdds.index.checkpoint-rows-written', verdict: 'crash' },
    ],
  },
  'a start removes the old file before the name of the new one is durable': {
    ...onDisk({
      syncDirectory: (path, real) => (isContainersDirectory(path) && isStarting() ? nothing() : real()),
    }),
    mix: 'reclaim',
    endAt: [
      { site: 'hdds.compact.before-directory-sync', verdict: 'kill' },
      { site: 'hdds.recover.older-removed', verdict: 'crash' },
    ],
    onStart: untilRecovered,
  },
  'recovery trusts the cache after a sync that failed': {
    ...onDisk({ write: (file, real) => (isContainer(file.path) && isStarting() ? nothing() : real()) }),
    endBy: 'kill',
    endAt: [undefined, { site: 'hdds.index.checkpoint-rows-written', verdict: 'crash' }],
    onStart: untilRecovered,
    onStarted: failsToSync,
  },
  'a copy is there before it is whole': { mix: 'copies', wrapDisk: namedTooEarly },
  'a container that was copied still counts as deleted': { mix: 'copies', wrapDisk: neverStruck },
  'a copy is renamed before it is durable': {
    mix: 'copies',
    ...onDisk({ sync: (file, real) => (file.path.endsWith('.copy') ? nothing() : real()) }),
  },
  'the name of a copy is not synced': {
    mix: 'copies',
    ...onDisk({ syncDirectory: (path, real) => (isContainersDirectory(path) ? nothing() : real()) }),
  },
  'the index checkpoint claims what is not durable': {
    wrapKv: (kv: KvStore) => ({
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      cursor: (range) => kv.cursor(range),
      write: (batch) => kv.write(batch),
      snapshot: () => kv.snapshot(),
      close: () => kv.close(),
      checkpoint: () => Promise.resolve(),
    }),
  },
  'a sync that failed is tried again': {
    ...onDisk({ sync: (_, real) => real().catch(() => real()) }),
    onStarted: failsToSync,
  },
}

describe('the crash programs catch', () => {
  test.each(Object.entries(bugs))('%s', { timeout: 60_000 }, async (_, bug) => {
    let caughtBy: number | undefined
    for (let seed = 1; seed <= seedsAllowed && caughtBy === undefined; seed++) {
      await runLives({ seed, ...bug }).catch(() => {
        caughtBy = seed
      })
    }
    expect(caughtBy).toBeDefined()
  })
})
