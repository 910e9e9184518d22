/** Six real datanodes: the space of keys that are deleted in an erasure-coded bucket comes back, and the keys that are left are read. */

import { isStoreError } from '@o3/common/errors'
import type { Key, OmCommand } from '@o3/om/api'
import type { ContainerDetails } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { insist } from '../insist.ts'
import { owner, volume } from '../om-commands.ts'
import { Supervisor } from '../supervisor.ts'
import { contentOf, firstDifference } from './content-of.ts'
import { dataPlanOf } from './data-plan.ts'
import { DataWorld } from './data-world.ts'
import { Gateway } from './gateway.ts'

const replication = 'EC/rs-3-2-1024k'
const bucket = 'encoded'
const chunkBytes = 64 * 1024
const keyCount = 30
/** Some minutes of virtual time, which take seconds of CPU. */
const timeout = 240_000
const lengthOf = (n: number): number => 20_000 + 3_000 * (n % 10)
const keyOf = (n: number): string => `key-${n}`

class Course {
  readonly world = new DataWorld({
    ...dataPlanOf(1),
    omMembers: 1,
    scmMembers: 1,
    datanodes: 6,
    racks: 3,
    disksEach: 1,
    containerBytes: 256 * 1024,
    perMinute: {},
    workload: { clients: 0, keysEach: 0, thinkMs: 1, largestBytes: chunkBytes, replications: [replication] },
  })
  readonly supervisor = new Supervisor(this.world)
  readonly gateway = new Gateway(this.world, 'gw')

  async start(): Promise<void> {
    const machines = [...this.world.om.members, ...this.world.scm.members, ...this.world.datanodes]
    await Promise.all(machines.map((machine) => machine.start()))
    for (const machine of machines) this.supervisor.keep(machine)
    await this.om({ kind: 'create-user', user: owner, admin: true })
    await this.om({ kind: 'create-volume', volume, owner, quota: {} })
    await this.om({ kind: 'create-bucket', volume, bucket, owner, quota: {}, replication })
  }

  async stop(): Promise<void> {
    await this.supervisor.stop()
    this.gateway.close()
    const machines = [...this.world.datanodes, ...this.world.om.members, ...this.world.scm.members]
    for (const { life } of machines) await life?.close()
  }

  async put(n: number): Promise<void> {
    const bytes = contentOf(n + 1, lengthOf(n))
    const { clock } = this.gateway.env
    const body = await insist(clock, 60_000, async () => {
      const written = await this.gateway.write(bytes, replication, chunkBytes)
      if (written !== undefined) return written
      await clock.sleep(500)
      return await this.gateway.write(bytes, replication, chunkBytes)
    })
    if (body.kind !== 'answer' || body.value === undefined) throw new Error(`${keyOf(n)} cannot be written`)
    await this.om({
      kind: 'commit-key',
      volume,
      bucket,
      key: keyOf(n),
      owner,
      size: bytes.length,
      content: { kind: 'leased', ...body.value },
      attributes: { etag: `${n}`, headers: {}, metadata: {}, tags: {} },
      preconditions: {},
    })
  }

  async remove(n: number): Promise<void> {
    await this.om({ kind: 'delete-key', volume, bucket, key: keyOf(n), preconditions: {} })
  }

  async look(n: number): Promise<Key> {
    return await this.gateway.om.getKey({ volume, bucket, key: keyOf(n) })
  }

  async expectBytes(numbers: readonly number[]): Promise<void> {
    for (const n of numbers) {
      const bytes = await this.gateway.read(await this.look(n))
      expect(firstDifference(bytes, contentOf(n + 1, lengthOf(n))), keyOf(n)).toBeUndefined()
    }
  }

  async closeAll(): Promise<void> {
    for (const { id, state } of await this.gateway.scm.listContainers({ limit: 1_000 })) {
      if (state === 'OPEN') await insist(this.gateway.env.clock, 20_000, () => this.gateway.scm.closeContainer(id))
    }
  }

  /** Containers of keys, not their shards. */
  async containers(): Promise<readonly ContainerDetails[]> {
    const infos = await this.gateway.scm.listContainers({ limit: 1_000 })
    const all: ContainerDetails[] = []
    for (const { id } of infos) {
      try {
        all.push(await this.gateway.scm.containerInfo(id))
      } catch (error) {
        if (!isStoreError(error, 'ContainerNotFound')) throw error
      }
    }
    return all.filter(({ shardOf }) => shardOf === undefined)
  }

  /** What the sealed container files take, by what the datanodes themselves say; empty files that nobody wrote to aside. */
  storedBytes(): number {
    const reports = this.world.datanodes.flatMap(({ life }) => life?.datanode.containers() ?? [])
    return reports.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  }

  async isEncoded(): Promise<boolean> {
    const all = await this.containers()
    const closed = all.filter(({ info }) => info.state !== 'OPEN')
    return closed.every(({ ec, replicas }) => ec !== undefined && replicas.length === 0)
  }

  private async om(command: OmCommand): Promise<void> {
    const { env, om } = this.gateway
    const requestId = env.random.uuid()
    const outcome = await insist(env.clock, 60_000, () => om.execute(command, { requestId }))
    if (outcome.kind !== 'answer') throw new Error(`${command.kind}: ${outcome.kind}`)
  }
}

async function run(script: (course: Course) => Promise<void>): Promise<void> {
  const course = new Course()
  await course.world.simulation.run(async () => {
    await course.start()
    await script(course)
    await course.stop()
  })
}

const all = Array.from({ length: keyCount }, (_, n) => n)

async function written(course: Course): Promise<void> {
  for (const n of all) await course.put(n)
  await course.closeAll()
  await course.world.until('everything is encoded', 120_000, () => course.isEncoded())
}

test(
  'more than half is deleted: the bytes on the disks shrink as much, and each key that is left is read',
  { timeout },
  async () => {
    await run(async (course) => {
      await written(course)
      const before = course.storedBytes()
      const shardsBefore = new Set((await course.containers()).flatMap(({ ec }) => ec?.shards ?? []))
      const kept = all.filter((n) => n % 3 === 0)
      const keptShare = kept.reduce((sum, n) => sum + lengthOf(n), 0) / all.reduce((sum, n) => sum + lengthOf(n), 0)
      // From now on the gateway remembers where the old shards are.
      await course.expectBytes(kept)
      for (const n of all) if (!kept.includes(n)) await course.remove(n)
      const target = before * (keptShare + 0.15)
      await course.world.until(
        'the space of what was deleted comes back',
        120_000,
        () => course.storedBytes() < target,
        () => `(${course.storedBytes()} of ${before} bytes, ${target} are wanted)`,
      )
      await course.expectBytes(kept)
      const after = await course.containers()
      const fresh = after.flatMap(({ ec }) => ec?.shards ?? []).filter((shard) => !shardsBefore.has(shard))
      expect(fresh.length).toBeGreaterThan(0)
      // What a container lost less than half of waits, and what was deleted after its encoding had begun.
      const waiting = after.reduce((sum, { deletedBlocks }) => sum + deletedBlocks, 0)
      expect(waiting).toBeLessThan((all.length - kept.length) / 2)
      // Nobody remembers the shards that were replaced.
      const rows = new Set((await course.gateway.scm.listContainers({ limit: 1_000 })).map(({ id }) => id))
      await course.world.until('the old shards have gone', 60_000, async () => {
        const ids = course.world.datanodes.flatMap(({ life }) => life?.datanode.containers() ?? []).map(({ id }) => id)
        return ids.every((id) => rows.has(id))
      })
    })
  },
)

test('all is deleted: the containers go with their shards', { timeout }, async () => {
  await run(async (course) => {
    await written(course)
    expect(course.storedBytes()).toBeGreaterThan(500_000)
    const encoded = (await course.containers()).filter(({ ec }) => ec !== undefined).map(({ info }) => info.id)
    expect(encoded.length).toBeGreaterThan(1)
    for (const n of all) await course.remove(n)
    await course.world.until('the containers go', 120_000, async () => {
      const ids = (await course.gateway.scm.listContainers({ limit: 1_000 })).map(({ id }) => id)
      return encoded.every((id) => !ids.includes(id))
    })
    await course.world.until('their bytes have gone', 60_000, () => course.storedBytes() < 100_000)
  })
})
