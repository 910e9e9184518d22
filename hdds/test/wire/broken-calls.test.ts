/** Callers that stall, give up or go away, and connections that break: what is left is what a crash would leave. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Disk } from '@o3/common/env'
import { RpcClient, trustedClient } from '@o3/common/rpc'
import { describe, expect, test } from 'vitest'
import { GivingUp } from '../../src/client/giving-up.ts'
import { exchanges } from '../../src/rpc/methods.ts'
import { runHead } from '../../src/rpc/runs.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { plantedDisk } from '../harness/planted-disk.ts'
import { withLoopbackWire, withSimulatedWire } from '../harness/wire.ts'
import type { SimulatedScene, WireScene } from '../harness/wire.ts'

const MiB = 1024 * 1024
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })
const silenceMs = 300_000

async function stored({ datanode }: WireScene, local: number, bytes: Uint8Array): Promise<void> {
  const writer = await datanode.openWriter(block(local))
  await writer.write([bytes])
  await writer.commit()
}

/** A caller that keeps to the wire and not to the interface. */
function rawClient({ env, address }: WireScene): RpcClient {
  return new RpcClient({ ...env, address, authentication: trustedClient })
}

const thousandHead = runHead([new Uint8Array(1000)])

const openRequest = (local: number) =>
  exchanges['hdds.openWriter.1'].request.encode({ datanode: 'dn-1', request: { block: block(local) } })

/** A body of these pieces, and then silence until it is let go. */
function silentAfter(...pieces: readonly Uint8Array[]) {
  const hold = Promise.withResolvers<void>()
  const body = (async function* () {
    yield* pieces
    await hold.promise
  })()
  return { body, letGo: hold.resolve }
}

/** A container closes only when its writers have ended: none is left then, and no block of theirs either. */
async function expectNoWriter(scene: WireScene, container = 1): Promise<void> {
  const before = await scene.local.listBlocks(container)
  await scene.local.closeContainer(container)
  expect(await scene.local.listBlocks(container)).toEqual(before)
  const [report] = scene.local.containers()
  expect(report).toMatchObject({ state: 'CLOSED', blockCount: before.length })
}

/** Of arrays, without those that nobody has any more. */
function bytesInUse(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

const later = (scene: SimulatedScene, ms: number): Promise<void> => scene.machine.simulation.clock.sleep(ms)

describe('a small read that is given up', () => {
  /** A block of four records, each of whose reads waits for the gate. */
  async function withHeldReads(
    script: (scene: SimulatedScene, reads: { readonly begun: () => number; open(): void }) => Promise<void>,
  ): Promise<void> {
    const gate = Promise.withResolvers<void>()
    let begun = 0
    let isHeld = false
    const wrapDisk = (disk: Disk): Disk =>
      plantedDisk(disk, {
        read: async (file, real) => {
          if (!isHeld || !file.path.endsWith('.cnt')) return await real()
          begun++
          await gate.promise
          return await real()
        },
      })
    await withSimulatedWire(
      async (scene) => {
        const writer = await scene.local.openWriter(block(1))
        for (let n = 0; n < 4; n++) await writer.write([patternOf(n, 10_000)])
        await writer.commit()
        isHeld = true
        await script(scene, { begun: () => begun, open: gate.resolve })
      },
      { machine: { wrapDisk } },
    )
  }

  test('reads no more of the disk than the piece that it waits for', async () => {
    await withHeldReads(async (scene, reads) => {
      const signal = new GivingUp()
      const outcome = rejection(
        scene.datanode.readSmall(block(1), { offset: 0, length: 40_000 }, { signal }),
        'Aborted',
      )
      await later(scene, 50)
      expect(reads.begun()).toBe(1)
      signal.giveUp()
      await outcome
      await later(scene, 50)
      reads.open()
      await later(scene, 50)
      expect(reads.begun()).toBe(1)
      await scene.local.deleteContainer(1) // on virtual time it would hang if the file were held
    })
  })

  test('is not asked for when it was given up before', async () => {
    await withHeldReads(async (scene, reads) => {
      const signal = new GivingUp()
      signal.giveUp()
      await rejection(scene.datanode.readSmall(block(1), { offset: 0, length: 10 }, { signal }), 'Aborted')
      await later(scene, 50)
      expect(reads.begun()).toBe(0)
    })
  })

  test('that is wanted reads all of it', async () => {
    await withHeldReads(async (scene, reads) => {
      reads.open()
      const signal = new GivingUp()
      const range = { offset: 0, length: 40_000 }
      expect(await scene.datanode.readSmall(block(1), range, { signal })).toHaveLength(40_000)
      expect(reads.begun()).toBe(4)
      // Too late to matter.
      signal.giveUp()
    })
  })
})

describe('a reader that stops', () => {
  test('holds no file for ever, and is told when it goes on', async () => {
    await withSimulatedWire(
      async (scene) => {
        const bytes = patternOf(1, 16 * MiB)
        await stored(scene, 1, bytes)
        const pieces = scene.datanode.read(block(1), all(bytes))[Symbol.asyncIterator]()
        await pieces.next()
        const deletion = scene.local.deleteContainer(1)
        let isDeleted = false
        void deletion.then(() => (isDeleted = true))
        await later(scene, silenceMs - 10_000)
        expect(isDeleted).toBe(false)
        await later(scene, 20_000)
        expect(isDeleted).toBe(true)
        await rejection(
          (async () => {
            while ((await pieces.next()).done !== true);
          })(),
          'Unavailable',
        )
      },
      { silenceMs },
    )
  })

  test('that leaves lets go of the file at once', async () => {
    await withSimulatedWire(async (scene) => {
      const bytes = patternOf(1, 16 * MiB)
      await stored(scene, 1, bytes)
      for await (const piece of scene.datanode.read(block(1), all(bytes))) {
        expect(sameBytes(piece, bytes.subarray(0, piece.length))).toBe(true)
        break
      }
      await scene.local.deleteContainer(1) // on virtual time it would hang
    })
  })

  test('that leaves before its first byte has come is sent none, and holds nothing', async () => {
    await withSimulatedWire(async (scene) => {
      const bytes = patternOf(1, 4 * MiB)
      await stored(scene, 1, bytes)
      for (const afterMs of [0, 0.2, 0.5, 1, 2, 5]) {
        const pieces = scene.datanode.read(block(1), all(bytes))[Symbol.asyncIterator]()
        const first = pieces.next().then(
          (step) => step.done === true || step.value.length,
          (error: unknown) => error,
        )
        await later(scene, afterMs)
        await pieces.return?.()
        await first
        expect(await pieces.next()).toEqual({ done: true, value: undefined })
      }
      await scene.local.deleteContainer(1) // on virtual time it would hang
    })
  })

  test('64 of them hold what their windows hold, and all get their bytes in the end', { timeout: 60_000 }, async () => {
    await withLoopbackWire(async (scene) => {
      const bytes = patternOf(5, 12 * MiB)
      await stored(scene, 1, bytes)
      const before = bytesInUse()
      const readers = Array.from({ length: 64 }, () =>
        scene.datanode.read(block(1), all(bytes))[Symbol.asyncIterator](),
      )
      const firsts = await Promise.all(readers.map((reader) => reader.next()))
      // So much as comes without anybody asking has come when small calls have gone round a while.
      for (let i = 0; i < 200; i++) await scene.datanode.disks()
      const held = bytesInUse() - before
      // A window at the caller, a copied piece and three buffers at the datanode; unbounded, it would be 768 MiB.
      expect(held).toBeLessThan(64 * 6 * MiB)
      await Promise.all(
        readers.map(async (reader, i) => {
          let at = 0
          for (let step = firsts[i]!; step.done !== true; step = await reader.next()) {
            if (!sameBytes(step.value, bytes.subarray(at, at + step.value.length))) throw new Error(`wrong at ${at}`)
            at += step.value.length
          }
          expect(at).toBe(bytes.length)
        }),
      )
    })
  })
})

describe('a writer that stops', () => {
  test('in the middle of a stream is cut off, and its block is not there', async () => {
    await withSimulatedWire(
      async (scene) => {
        const writer = await scene.datanode.openWriter(block(1))
        await writer.write([patternOf(1, MiB)])
        const closing = expectNoWriter(scene)
        await later(scene, silenceMs + 1_000)
        await closing
        await rejection(writer.write([patternOf(1, 10)]), 'Unavailable')
        await rejection(writer.commit(), 'Aborted')
        await writer.abort()
      },
      { silenceMs },
    )
  })

  test.each([
    ['of a run', [thousandHead, new Uint8Array(999)]],
    ['of the word before a run', [thousandHead.subarray(0, 3)]],
  ])('in the middle %s', async (_, pieces) => {
    await withSimulatedWire(
      async (scene) => {
        await scene.local.createContainer(1)
        const raw = rawClient(scene)
        const { body, letGo } = silentAfter(...pieces)
        const { body: marks } = await raw.call('hdds.openWriter.1', openRequest(1), { body })
        const closing = expectNoWriter(scene)
        await rejection(collect(marks!), 'DeadlineExceeded')
        await closing
        letGo()
        raw.close()
      },
      { silenceMs },
    )
  })

  test('in the middle of a small block', async () => {
    await withSimulatedWire(
      async (scene) => {
        await scene.local.createContainer(1)
        const raw = rawClient(scene)
        const request = { block: block(1), lengthBytes: 100_000, checksum: 0 }
        const payload = exchanges['hdds.writeBlock.1'].request.encode({ datanode: 'dn-1', request })
        const { body, letGo } = silentAfter(new Uint8Array(99_999))
        await rejection(raw.call('hdds.writeBlock.1', payload, { body }), 'DeadlineExceeded')
        expect(await scene.local.listBlocks(1)).toEqual([])
        letGo()
        raw.close()
      },
      { silenceMs },
    )
  })

  test.each([
    ['ends its body without an end', [thousandHead, new Uint8Array(1000)], 'IncompleteBody'],
    ['ends it in a run', [thousandHead, new Uint8Array(500)], 'IncompleteBody'],
    ['sends a run that is too long', [runHead([new Uint8Array(MiB + 1)])], 'InvalidArgument'],
    ['sends other bytes than it said', [thousandHead, new Uint8Array(1000).fill(1)], 'Unavailable'],
    ['sends nothing at all', [], 'IncompleteBody'],
  ] as const)('or %s', async (_, pieces, code) => {
    await withSimulatedWire(async (scene) => {
      await scene.local.createContainer(1)
      const raw = rawClient(scene)
      const body = (async function* () {
        yield* pieces
      })()
      const { body: marks } = await raw.call('hdds.openWriter.1', openRequest(1), { body })
      await rejection(collect(marks!), code)
      await expectNoWriter(scene)
      raw.close()
    })
  })

  test.each([
    [0, 'IncompleteBody'],
    [99, 'IncompleteBody'],
    [100, 'Unavailable'],
    [101, 'InvalidArgument'],
  ] as const)('or sends %i bytes of a block of 100, which are others: %s', async (sent, code) => {
    await withSimulatedWire(async (scene) => {
      await scene.local.createContainer(1)
      const raw = rawClient(scene)
      const request = { block: block(1), lengthBytes: 100, checksum: 0 }
      const payload = exchanges['hdds.writeBlock.1'].request.encode({ datanode: 'dn-1', request })
      await rejection(raw.call('hdds.writeBlock.1', payload, { body: new Uint8Array(sent) }), code)
      expect(await scene.local.listBlocks(1)).toEqual([])
      raw.close()
    })
  })
})

describe('giving up', () => {
  test('between two writes, and while one is under way', async () => {
    await withSimulatedWire(async (scene) => {
      const idle = await scene.datanode.openWriter(block(1))
      await idle.write([patternOf(1, MiB)])
      await idle.abort()
      const busy = await scene.datanode.openWriter(block(2))
      const writing = rejection(busy.write([patternOf(2, 8 * MiB)]), 'Aborted')
      await later(scene, 1)
      await busy.abort()
      await writing
      await rejection(busy.commit(), 'Aborted')
      await expectNoWriter(scene)
    })
  })

  test('while a commit is under way: it counts, or it does not, and the caller is told', async () => {
    for (let delayMs = 0; delayMs < 3; delayMs += 0.25) {
      await withSimulatedWire(async (scene) => {
        const bytes = patternOf(1, 1000)
        const writer = await scene.datanode.openWriter(block(1))
        await writer.write([bytes])
        const committing = writer.commit().then(
          () => 'committed',
          () => 'failed',
        )
        await later(scene, delayMs)
        await writer.abort()
        const outcome = await committing
        await scene.local.closeContainer(1)
        const { length } = await scene.local.listBlocks(1)
        if (outcome === 'committed') expect(length).toBe(1)
      })
    }
  })

  test('a small write that takes too long has an unknown outcome, and can be made again', async () => {
    const gate = Promise.withResolvers<void>()
    let isHeld = false
    const wrapDisk: NonNullable<Parameters<typeof withSimulatedWire>[1]>['machine'] = {
      wrapDisk: (disk) =>
        plantedDisk(disk, {
          sync: async (file, real) => {
            if (isHeld && file.path.endsWith('.cnt')) await gate.promise
            return await real()
          },
        }),
    }
    await withSimulatedWire(
      async (scene) => {
        const bytes = patternOf(1, 5000)
        await scene.local.createContainer(1)
        isHeld = true
        await rejection(scene.datanode.writeBlock(block(1), [bytes]), 'DeadlineExceeded')
        gate.resolve()
        await scene.datanode.writeBlock(block(1), [bytes])
        expect(sameBytes(await scene.datanode.readSmall(block(1), all(bytes)), bytes)).toBe(true)
      },
      { client: { deadlineMs: 1_000 }, machine: wrapDisk },
    )
  })
})

describe('a connection that is cut', () => {
  test('in the middle of a stream: nothing is left of it, and the next goes through', async () => {
    await withSimulatedWire(async (scene) => {
      const { network } = scene.machine.simulation
      const writer = await scene.datanode.openWriter(block(1))
      await writer.write([patternOf(1, MiB)])
      const writing = rejection(writer.write([patternOf(2, 8 * MiB)]), 'Unavailable')
      await later(scene, 1)
      network.resetChance = 1
      await writing
      network.resetChance = 0
      await rejection(writer.commit(), 'Aborted')
      await writer.abort()
      const bytes = patternOf(3, 2 * MiB)
      await stored(scene, 2, bytes)
      expect(sameBytes(await collect(scene.datanode.read(block(2), all(bytes))), bytes)).toBe(true)
      await expectNoWriter(scene)
    })
  })

  test('during a commit: the outcome is not known', async () => {
    await withSimulatedWire(async (scene) => {
      const writer = await scene.datanode.openWriter(block(1))
      await writer.write([patternOf(1, MiB)])
      const committing = rejection(writer.commit(), 'OutcomeUnknown')
      await later(scene, 0.01)
      scene.machine.node.kill()
      await committing
    })
  })

  test('in the middle of a read: the reader is told, and has only right bytes', async () => {
    await withSimulatedWire(async (scene) => {
      const bytes = patternOf(1, 16 * MiB)
      await stored(scene, 1, bytes)
      let at = 0
      const reading = (async () => {
        for await (const piece of scene.datanode.read(block(1), all(bytes))) {
          expect(sameBytes(piece, bytes.subarray(at, at + piece.length))).toBe(true)
          at += piece.length
          scene.machine.simulation.network.resetChance = at > 4 * MiB ? 1 : 0
        }
      })()
      await rejection(reading, 'Unavailable')
      scene.machine.simulation.network.resetChance = 0
      expect(at).toBeGreaterThan(4 * MiB)
      expect(at).toBeLessThan(bytes.length)
      await scene.local.deleteContainer(1) // hangs while the datanode still reads
    })
  })

  test('a read over a connection of before a restart begins anew', async () => {
    await withSimulatedWire(async (scene) => {
      const { datanode } = scene
      const bytes = patternOf(1, 3 * MiB)
      await stored(scene, 1, bytes)
      await collect(datanode.read(block(1), all(bytes)))
      // The restart is over before the caller hears that its connections are gone.
      const cancel = scene.machine.simulation.network.block('dn', 'gateway')
      await scene.restart()
      const reading = collect(datanode.read(block(1), all(bytes)))
      await later(scene, 5)
      cancel()
      expect(sameBytes(await reading, bytes)).toBe(true)
    })
  })

  test('a datanode that is gone is Unavailable, for every call', async () => {
    await withSimulatedWire(
      async (scene) => {
        const { datanode } = scene
        await datanode.createContainer(1)
        scene.machine.node.kill()
        await later(scene, 10)
        await rejection(datanode.writeBlock(block(1), [patternOf(1, 10)]), 'Unavailable')
        await rejection(datanode.openWriter(block(1)), 'Unavailable')
        await rejection(collect(datanode.read(block(1), { offset: 0, length: 1 })), 'Unavailable')
        await rejection(datanode.readSmall(block(1), { offset: 0, length: 1 }), 'Unavailable')
        await rejection(datanode.containers(), 'Unavailable')
      },
      { client: { deadlineMs: 1_000 } },
    )
  })

  test('a machine that loses its power is noticed by its silence', async () => {
    await withSimulatedWire(async (scene) => {
      const writer = await scene.datanode.openWriter(block(1))
      await writer.write([patternOf(1, MiB)])
      scene.machine.node.crash()
      await rejection(writer.write([patternOf(1, MiB)]), 'Unavailable')
      await writer.abort()
    })
  })
})

describe('many at a time', () => {
  test('64 streams and small calls beside them', { timeout: 60_000 }, async () => {
    await withLoopbackWire(async (scene) => {
      const { datanode } = scene
      const before = bytesInUse()
      let most = 0
      const size = 4 * MiB
      const contents = Array.from({ length: 64 }, (_, i) => patternOf(i + 1, 1000 + i))
      const stream = async (local: number): Promise<void> => {
        const writer = await datanode.openWriter(block(local, 1 + (local % 4)))
        const piece = patternOf(local, MiB)
        for (let at = 0; at < size; at += MiB) {
          const writing = writer.write([piece])
          if (local % 8 === 0) most = Math.max(most, bytesInUse() - before)
          await writing
        }
        await writer.commit()
      }
      const small = async (local: number): Promise<void> => {
        await datanode.writeBlock(block(1000 + local), [contents[local]!])
      }
      await Promise.all(contents.flatMap((_, i) => [stream(i + 1), small(i)]))
      // A MiB of its own for each, one under way to the datanode, one gathered there, and the datanode's own.
      expect(most).toBeLessThan(64 * 5 * MiB)
      for (let i = 0; i < 64; i++) {
        const piece = patternOf(i + 1, MiB)
        const read = await collect(datanode.read(block(i + 1, 1 + ((i + 1) % 4)), { offset: 3 * MiB, length: MiB }))
        expect(sameBytes(read, piece)).toBe(true)
        const content = contents[i]!
        expect(sameBytes(await datanode.readSmall(block(1000 + i), all(content)), content)).toBe(true)
      }
    })
  })
})
