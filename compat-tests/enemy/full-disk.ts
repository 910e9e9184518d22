/** A disk that fills up: writes are refused, all else goes on, and when space returns so do writes. Nothing acknowledged is lost. */

import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../harness/command.ts'
import { get, listKeys, must, put, send } from '../harness/requests.ts'
import { startServer } from '../harness/server.ts'
import type { Server } from '../harness/server.ts'
import { expect } from '../harness/suite.ts'
import { patterned } from '../harness/tree.ts'
import type { Case } from './case.ts'
import { expectRefusal } from './judge.ts'

const MiB = 1024 * 1024
const bucket = 'full'
const refusal = '507 InsufficientStorage'
const comebackMs = 40_000
const maxAgain = 100
/** Of so many objects one is kept: what is left of a container is copied before its file goes, and needs room for that. */
const keptShare = 20

const settings = {
  'data.reserve': '16MiB',
  'om.segment': '4MiB',
  'om.checkpoint': '8MiB',
  'om.deletionDelay': '200ms',
  'scm.containerSize': '16MiB',
  'hdds.compactInterval': '200ms',
}
const args = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])

export interface FullDisk {
  readonly cases: readonly Case[]
  readonly cleanUp: () => Promise<void>
}

/** Needs root, for the small file system. */
export function fullDisk(root: string): FullDisk {
  const mount = join(root, 'small-disk')
  const directory = join(mount, 'data')
  /** What was acknowledged and not deleted: size by key. */
  const kept = new Map<string, number>()
  let mounted = false
  let server: Server | undefined
  const running = (): Server => {
    expect(server !== undefined, 'the server is not running')
    return server
  }
  const cases: readonly Case[] = [
    {
      name: 'a file system of 400 MB, and a server on it',
      run: async () => {
        mkdirSync(mount)
        await run('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', mount])
        mounted = true
        server = await startServer({ directory, args })
        await must(send(server, { method: 'PUT', target: `/${bucket}` }))
      },
    },
    { name: 'large uploads until refused: 507', run: () => fill(running(), kept, { kind: 'large', size: 4 * MiB }) },
    { name: 'middle ones until refused: 507', run: () => fill(running(), kept, { kind: 'middle', size: 50_000 }) },
    { name: 'small ones until refused: 507', run: () => fill(running(), kept, { kind: 'small', size: 1000 }) },
    { name: 'everything can be read and listed', run: () => expectKept(running(), kept) },
    {
      name: 'killed while full: a restart works, and everything is there',
      run: async () => {
        await running().kill()
        server = await startServer({ directory, args })
        await expectKept(server, kept)
        // Whether there is room for one more is the server's to say; it must say it.
        const answer = await put(server, `/${bucket}/one-more`, patterned(4 * MiB, 1))
        if (answer.status === 200) kept.set('one-more', 4 * MiB)
        else expectRefusal(answer, refusal)
      },
    },
    { name: 'deletes go on', run: () => deleteMost(running(), kept) },
    { name: 'space comes back, and writes with it, without a restart', run: () => comeback(running(), kept, mount) },
    { name: 'full again, deleted again, back again', run: () => secondRound(running(), kept, mount) },
    { name: 'a restart finds everything', run: () => restart() },
  ]
  async function restart(): Promise<void> {
    expect((await running().stop()) === 0, `it did not end well\n${running().output()}`)
    server = await startServer({ directory, args })
    await expectKept(server, kept)
  }
  return {
    cases,
    cleanUp: async () => {
      await server?.stop()
      if (mounted) await run('umount', [mount])
    },
  }
}

type Kept = Map<string, number>

const bytesOf = (key: string, size: number): Buffer => patterned(size, Number(key.replaceAll(/\D/g, '')))

interface Objects {
  readonly kind: string
  readonly size: number
}

/** While a container is being closed, a write may be told to come again: a client does that. The last word is 507. */
async function fill(server: Server, kept: Kept, { kind, size }: Objects): Promise<string> {
  let count = 0
  let again = 0
  let full = false
  const writer = async (): Promise<void> => {
    while (!full) {
      const key = `${kind}-${count++}`
      const answer = await put(server, `/${bucket}/${key}`, bytesOf(key, size))
      if (answer.status === 200) kept.set(key, size)
      else if (answer.status === 503 && again++ < maxAgain) await sleep(20)
      else {
        expectRefusal(answer, refusal)
        full = true
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, writer))
  const stored = [...kept.keys()].filter((key) => key.startsWith(kind)).length
  return `${stored} of ${size} bytes; ${again} were told to come again`
}

async function expectKept(server: Server, kept: Kept): Promise<void> {
  const wanted = [...kept.keys()].toSorted().join()
  const listed = (await listKeys(server, bucket)).toSorted().join()
  expect(listed === wanted, 'the listing is not what was acknowledged')
  const left = [...kept]
  const reader = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [key, size] = next
      const { body } = await must(get(server, `/${bucket}/${key}`))
      expect(body.equals(bytesOf(key, size)), `${key} has other bytes`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, reader))
}

async function deleteMost(server: Server, kept: Kept): Promise<void> {
  for (const [index, key] of [...kept.keys()].entries()) {
    if (index % keptShare === 1) continue
    await must(send(server, { method: 'DELETE', target: `/${bucket}/${key}` }))
    kept.delete(key)
  }
}

/** A good part of what was there fits again. */
async function comeback(server: Server, kept: Kept, mount: string): Promise<string> {
  const started = performance.now()
  let first: number | undefined
  let again = 0
  for (let written = 0; written < 20;) {
    const key = `again-${kept.size}${written}`
    const answer = await put(server, `/${bucket}/${key}`, bytesOf(key, 4 * MiB))
    if (answer.status === 200) {
      first ??= performance.now() - started
      kept.set(key, 4 * MiB)
      written++
      continue
    }
    if (answer.status !== 503 || again++ >= maxAgain) expectRefusal(answer, refusal)
    const waited = performance.now() - started
    expect(waited < comebackMs, `still full after ${waited} ms, with ${freeMb(mount)} MB free and ${written} written`)
    await sleep(100)
  }
  return `first write after ${Math.round(first ?? 0)} ms, 20 of 4 MiB after ${Math.round(performance.now() - started)} ms`
}

async function secondRound(server: Server, kept: Kept, mount: string): Promise<void> {
  await fill(server, kept, { kind: 'second', size: 4 * MiB })
  await deleteMost(server, kept)
  await comeback(server, kept, mount)
  await expectKept(server, kept)
}

function freeMb(mount: string): number {
  const { bavail, bsize } = statfsSync(mount)
  return Math.round((bavail * bsize) / 1e6)
}
