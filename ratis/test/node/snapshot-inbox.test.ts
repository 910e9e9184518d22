import { expect, test } from 'vitest'
import { Simulation } from '@o3/common/env/sim'
import { nullLogger } from '@o3/common/logger'
import { noConfiguration } from '../../src/core/configuration.ts'
import type { SnapshotChunk } from '../../src/core/message.ts'
import { crc32c } from '../../src/log/checksum.ts'
import type { SnapshotReceiver } from '../../src/node/consensus.ts'
import { SnapshotInbox } from '../../src/node/snapshot-inbox.ts'

function piece(position: string, next: string | undefined, text: string): SnapshotChunk {
  const bytes = new TextEncoder().encode(text)
  return {
    kind: 'snapshot-chunk',
    from: 'a',
    to: 'b',
    term: 1,
    round: 1,
    sentMs: 0,
    snapshot: 's',
    place: { index: 9, term: 1, configuration: noConfiguration },
    position,
    next,
    bytes,
    checksum: crc32c(bytes),
  }
}

/** What becomes of these pieces, and what is stored of them. */
async function taken(
  chunks: readonly SnapshotChunk[],
): Promise<{ readonly told: string[]; readonly stored: string[] }> {
  const simulation = new Simulation({ seed: 1 })
  const told: string[] = []
  const stored: string[] = []
  const receiver: SnapshotReceiver = {
    wanted: '',
    store: (_position, _next, bytes) => Promise.resolve(void stored.push(new TextDecoder().decode(bytes))),
    install: () => Promise.resolve(),
    discard: () => Promise.resolve(void stored.splice(0)),
  }
  await simulation.run(async () => {
    const inbox = new SnapshotInbox({
      env: simulation.node('b').boot(),
      machine: { openReceiver: () => Promise.resolve(receiver) },
      core: {
        chunkStored: (_chunk, wanted) => void told.push(`wants ${wanted}`),
        snapshotStored: () => told.push('has all') > 0,
        chunkRefused: ({ position }) => void told.push(`refuses ${position === '' ? 'the first' : position}`),
      },
      logger: nullLogger,
      onTold: () => undefined,
    })
    for (const chunk of chunks) inbox.take(chunk)
    for (let n = 0; told.length < chunks.length && n < 1000; n++) await simulation.clock.sleep(1)
    await inbox.stop()
  })
  return { told, stored }
}

const pieces = [piece('', '1', 'first'), piece('1', '2', 'second'), piece('2', undefined, 'third')] as const

test('pieces are stored in their order', async () => {
  expect(await taken(pieces)).toEqual({ told: ['wants 1', 'wants 2', 'has all'], stored: ['first', 'second', 'third'] })
})

test('a piece that has changed on its way is refused, and all of it begins anew', async () => {
  const changed = { ...pieces[1], bytes: new TextEncoder().encode('secomd') }
  expect(await taken([pieces[0], changed, pieces[2]])).toEqual({ told: ['wants 1', 'refuses 1', 'wants '], stored: [] })
})
