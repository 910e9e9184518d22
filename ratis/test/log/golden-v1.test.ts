import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { append, onMachine, readAll, text, type Bench } from './sim.ts'

/** A directory of the first release: four segments, the first of them cut away, a vote, two entries not yet committed. */
const golden = await readFile(new URL('testdata/log-v1.golden.txt', import.meta.url), 'latin1')
const options = { segmentBytes: 12 * 1024, groupId: '00112233445566778899aabbccddeeff' }

/** Lines of `name length`, each followed by the rows that are not all zeros: offset and bytes in hex. */
async function unpack(bench: Bench): Promise<void> {
  await bench.env.disk.makeDirectory('log')
  for (const part of golden.split(/^(?=\S)/m)) {
    const [head, ...rows] = part.trimEnd().split('\n')
    const [name, length] = (head as string).split(' ')
    const bytes = Buffer.alloc(Number(length))
    for (const row of rows) {
      const [offset, hex] = row.trim().split(' ')
      bytes.write(hex as string, Number.parseInt(offset as string, 16), 'hex')
    }
    const file = await bench.env.disk.open(`log/${name}`, 'create')
    await file.write([bytes], 0)
    await file.sync()
    await file.close()
  }
  await bench.env.disk.syncDirectory('log')
  await bench.env.disk.syncDirectory('.')
}

test('a log of the first format opens, whole, and goes on', () =>
  onMachine(async (bench) => {
    await unpack(bench)
    const log = await bench.open(options)
    expect(log.opening).toEqual({ created: false, cutBytes: 0 })
    expect(log.hardState).toMatchObject({ term: 4, vote: '', mayVote: true, commitFloor: 7, checkpointIndex: 2 })
    expect(log.termRuns).toEqual([
      { term: 1, firstIndex: 2 },
      { term: 3, firstIndex: 5 },
      { term: 4, firstIndex: 9 },
    ])
    const entries = await readAll(log)
    expect(entries.map(({ index }) => index)).toEqual([3, 4, 5, 6, 7, 8, 9])
    for (const { index, payload } of entries) expect(Buffer.from(payload).toString()).toContain(`entry ${index}`)
    await log.saveHardState({ term: 5, vote: 'member-3', mayVote: false })
    await append(log, text('entry 10'), 5)
    const again = await bench.restart('crash')
    expect(again.hardState).toMatchObject({ term: 5, vote: 'member-3', mayVote: false, checkpointIndex: 2 })
    expect(again.lastIndex).toBe(10)
  }))
