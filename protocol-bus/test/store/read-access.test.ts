/** A read that takes longer than its tokens are good for. */

import { Simulation } from '@o3/common/env/sim'
import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { BlockAccess, ReadRange } from '@o3/hdds/api'
import type { Key } from '@o3/om/api'
import type { BlockId } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { authorize } from '../../src/core/authorize.ts'
import type { Grant } from '../../src/core/authorize.ts'
import { BodyReader } from '../../src/store/body-reader.ts'
import { OwnTokens } from '../../src/store/own-tokens.ts'
import { MemoryBlocks } from './memory-blocks.ts'

const grant = authorize({ user: 'root', admin: true }, 'key:read', {
  kind: 'bucket',
  bucket: { volume: 'v', name: 'b', owner: 'root', members: {}, replication: 'RATIS/ONE' },
}) as Grant<'key:read'>

const validMs = 60_000
const blockBytes = 200_000

/** Blocks that want a token of the last minute, as those of a datanode do. */
class GuardedBlocks extends MemoryBlocks {
  reads = 0
  private readonly clock: Clock

  constructor(clock: Clock) {
    super()
    this.clock = clock
  }

  override async *read(block: BlockId, range: ReadRange, access?: BlockAccess): AsyncGenerator<Uint8Array> {
    this.admit(block, access)
    for await (const piece of super.read(block, range)) {
      // As a client does that goes on at another replica: the access is asked again.
      this.admit(block, access)
      yield piece
    }
  }

  override async readSmall(block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array> {
    this.admit(block, access)
    return super.readSmall(block, range)
  }

  private admit({ container, local }: BlockId, access: BlockAccess | undefined): void {
    this.reads++
    const [from, to, untilMs] = Buffer.from(access?.token ?? [])
      .toString()
      .split(' ')
      .map(Number)
    const isGood =
      container === 1 && local >= (from ?? 0) && local <= (to ?? -1) && this.clock.wallMs() < (untilMs ?? 0)
    if (!isGood) throw new StoreError('AccessDenied', 'no')
  }
}

/** The key as OM answers it now: blocks 1 to 4, of which the third is in no run with the others. */
function keyAt(clock: Clock, updateId = 1): Key {
  const locals = [1, 2, 9, 4]
  const token = (from: number, to: number): Uint8Array => Buffer.from(`${from} ${to} ${clock.wallMs() + validMs}`)
  return {
    name: 'k',
    etag: 'e',
    headers: {},
    metadata: {},
    tags: {},
    size: locals.length * blockBytes,
    modifiedMs: 0,
    owner: 'root',
    updateId,
    content: {
      kind: 'blocks',
      segments: locals.map((local) => ({
        kind: 'block',
        block: { container: 1, local },
        offset: 0,
        length: blockBytes,
      })),
    },
    access: {
      validMs,
      grants: [
        { container: 1, firstLocal: 1, count: 2, token: token(1, 2) },
        { container: 1, firstLocal: 9, count: 1, token: token(9, 9) },
        { container: 1, firstLocal: 4, count: 1, token: token(4, 4) },
      ],
    },
  }
}

interface World {
  readonly clock: Clock
  readonly reader: BodyReader
  lookups: number
  /** What a lookup answers. */
  lookUp: () => Key | Promise<Key>
}

function inTime(script: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'slow readers' })
  return simulation.run(async () => {
    const { clock } = simulation.node('gateway').boot()
    const blocks = new GuardedBlocks(clock)
    for (const local of [1, 2, 9, 4]) await blocks.writeBlock({ container: 1, local }, [new Uint8Array(blockBytes)])
    const world: World = {
      clock,
      lookups: 0,
      lookUp: () => keyAt(clock),
      reader: new BodyReader({
        blocks: new OwnTokens(blocks),
        clock,
        lookUp: () => {
          world.lookups++
          return world.lookUp()
        },
      }),
    }
    await script(world)
  })
}

/** Reads all of it, a piece every so often. */
async function readSlowly({ reader, clock }: World, key: Key, everyMs: number): Promise<number> {
  const body = await reader.open(grant, key, { start: 0, end: key.size })
  if (body.bytes instanceof Uint8Array) return body.bytes.length
  let length = 0
  for await (const piece of body.bytes) {
    length += piece.length
    await clock.sleep(everyMs)
  }
  return length
}

test('a quick one has the tokens it came with', () =>
  inTime(async (world) => {
    expect(await readSlowly(world, keyAt(world.clock), 1)).toBe(4 * blockBytes)
    expect(world.lookups).toBe(0)
  }))

test('a slow one gets new ones at half of their time, in the middle of a block too', () =>
  inTime(async (world) => {
    const start = world.clock.monotonicMs()
    expect(await readSlowly(world, keyAt(world.clock), 1_000)).toBe(4 * blockBytes)
    const terms = (world.clock.monotonicMs() - start) / validMs
    expect(terms).toBeGreaterThan(10)
    expect(world.lookups).toBeLessThanOrEqual(2 * terms + 1)
  }))

test('goes on with what it has while OM cannot be asked, and again after', () =>
  inTime(async (world) => {
    let failures = 0
    world.lookUp = () => {
      if (world.clock.monotonicMs() % 100_000 > 20_000) return keyAt(world.clock)
      failures++
      throw new StoreError('Unavailable', 'an election')
    }
    expect(await readSlowly(world, keyAt(world.clock), 1_000)).toBe(4 * blockBytes)
    expect(failures).toBeGreaterThan(3)
  }))

test('of a key that was overwritten has no new ones, and ends as one whose blocks are gone would', () =>
  inTime(async (world) => {
    world.lookUp = () => keyAt(world.clock, 2)
    await expect(readSlowly(world, keyAt(world.clock), 1_000)).rejects.toThrow(
      expect.objectContaining({ code: 'Unavailable' }) as Error,
    )
    expect(world.lookups).toBe(1)
  }))

test('blocks that are refused are our fault, not that of who reads', () =>
  inTime(async (world) => {
    const { access: _, ...bare } = keyAt(world.clock)
    await expect(readSlowly(world, bare, 1)).rejects.toThrow(expect.objectContaining({ code: 'Unavailable' }) as Error)
    const small = async () => world.reader.open(grant, bare, { start: 0, end: 10 })
    await expect(small()).rejects.toThrow(expect.objectContaining({ code: 'Unavailable' }) as Error)
  }))

test('a small read carries the token of its block', () =>
  inTime(async (world) => {
    const body = await world.reader.open(grant, keyAt(world.clock), {
      start: 2 * blockBytes + 5,
      end: 2 * blockBytes + 15,
    })
    expect(body.length).toBe(10)
  }))
