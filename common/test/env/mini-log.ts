import { crc32 } from 'node:zlib'
import type { DiskFile, Env } from '../../src/env/env.ts'

/** Ways to be wrong, each of which the simulated disk must expose. */
export type PlantedBug =
  | 'no sync before the answer'
  | 'answers while the sync is under way'
  | 'no sync of the directory of a new segment'
  | 'renames a snapshot that is not synced'
  | 'removes segments before the snapshot has its name for good'
  | 'tries a failed sync again'

const segmentAppends = 3
const snapshotAppends = 8

/**
 * A log as small as one can be that has all that goes wrong in logs: segments, a snapshot that is renamed into place,
 * and recovery. It holds numbers below 256; `append` answers when its number is durable.
 */
export class MiniLog {
  readonly #env: Env
  readonly #bug: PlantedBug | undefined
  readonly values: number[]
  #segment: DiskFile | undefined
  #segmentBytes = 0
  #sinceRoll = 0
  #nextSegment: number

  private constructor(env: Env, bug: PlantedBug | undefined, found: { values: number[]; nextSegment: number }) {
    this.#env = env
    this.#bug = bug
    this.values = found.values
    this.#nextSegment = found.nextSegment
  }

  static async open(env: Env, bug?: PlantedBug): Promise<MiniLog> {
    await env.disk.makeDirectory('log')
    await env.disk.syncDirectory('.')
    const names = await env.disk.list('log')
    const values = names.includes('snapshot') ? await recordsOf(env, 'log/snapshot') : []
    let nextSegment = values.length
    for (const name of names.filter((found) => found.startsWith('segment'))) {
      const first = Number(name.slice('segment-'.length))
      const records = await recordsOf(env, `log/${name}`)
      // A segment begins with the value of this index; the snapshot may cover part of it.
      values.push(...records.slice(Math.max(0, values.length - first)))
      nextSegment = Math.max(nextSegment, first + Math.max(1, records.length))
    }
    const log = new MiniLog(env, bug, { values, nextSegment: Math.max(nextSegment, values.length) })
    // Torn tails are not written behind: a snapshot takes what was found, and the segments go.
    await log.#takeSnapshot()
    return log
  }

  async append(value: number): Promise<void> {
    const { disk } = this.#env
    if (this.#segment === undefined || this.#sinceRoll === segmentAppends) {
      this.#segment = await disk.open(`log/segment-${String(this.#nextSegment).padStart(6, '0')}`, 'create')
      if (this.#bug !== 'no sync of the directory of a new segment') await disk.syncDirectory('log')
      this.#segmentBytes = 0
      this.#sinceRoll = 0
    }
    const record = recordOf(value)
    await this.#segment.write([record], this.#segmentBytes)
    this.#env.at('append.written')
    this.#segmentBytes += record.length
    this.#sinceRoll++
    this.#nextSegment++
    await this.#syncSegment(this.#segment)
    this.#env.at('append.synced')
    this.values.push(value)
    if (this.values.length % snapshotAppends === 0) await this.#takeSnapshot()
  }

  async #syncSegment(segment: DiskFile): Promise<void> {
    if (this.#bug === 'no sync before the answer') return
    const synced = segment.sync()
    if (this.#bug === 'answers while the sync is under way') synced.catch(() => undefined)
    else if (this.#bug === 'tries a failed sync again') await synced.catch(() => segment.sync())
    else await synced
  }

  async #takeSnapshot(): Promise<void> {
    const { disk } = this.#env
    if ((await disk.stat('log/snapshot.new')) !== undefined) await disk.remove('log/snapshot.new')
    const file = await disk.open('log/snapshot.new', 'create')
    await file.write(this.values.map(recordOf), 0)
    if (this.#bug !== 'renames a snapshot that is not synced') await file.sync()
    await file.close()
    await disk.rename('log/snapshot.new', 'log/snapshot')
    if (this.#bug !== 'removes segments before the snapshot has its name for good') await disk.syncDirectory('log')
    for (const name of await disk.list('log')) if (name.startsWith('segment')) await disk.remove(`log/${name}`)
    await disk.syncDirectory('log')
    this.#segment = undefined
    this.#nextSegment = this.values.length
    this.#env.at('snapshot.taken')
  }
}

function recordOf(value: number): Uint8Array {
  const record = Buffer.alloc(8)
  record[0] = value
  record.writeUInt32LE(crc32(record.subarray(0, 4)) || 1, 4)
  return record
}

/** The records up to the first one that is torn. */
async function recordsOf(env: Env, path: string): Promise<number[]> {
  const file = await env.disk.open(path, 'read')
  const bytes = Buffer.alloc(await file.size())
  await file.read(bytes, 0)
  await file.close()
  const values: number[] = []
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const value = bytes[at] ?? 0
    if (!bytes.subarray(at, at + 8).equals(recordOf(value))) break
    values.push(value)
  }
  return values
}
