/** What seed 6 of the simulation once found, step by step: see docs/adr/0009. */

import type { Cancel } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { RemoteOm } from '@o3/om/client'
import { describe, expect, test } from 'vitest'
import { planOf } from './plan.ts'
import { groupClient } from './services.ts'
import { SystemWorld, type OmMember } from './world.ts'

const bucket = { volume: 'vol', bucket: 'life' }
const createBucket = { kind: 'create-bucket', ...bucket, owner: 'ann', quota: {}, replication: 'RATIS/ONE' } as const

interface Cluster {
  readonly world: SystemWorld
  readonly om: RemoteOm
  readonly leader: () => OmMember
  readonly handOverTo: (member: OmMember) => Promise<void>
}

/** Three members of OM that nothing happens to but what the script does, and a client of them. */
async function withCluster(script: (cluster: Cluster) => Promise<void>): Promise<void> {
  const messages = { loss: 0, duplicate: 0, late: 0 }
  const world = new SystemWorld({ ...planOf(6), perMinute: {}, messages, drift: 0 })
  await world.simulation.run(async () => {
    await Promise.all(world.om.members.map((member) => member.start()))
    const leader = (): OmMember => {
      const { leader: found } = world.om
      if (found === undefined) throw new Error('nobody leads')
      return found
    }
    await world.until('somebody leads', 10_000, () => world.om.leader !== undefined)
    const client = groupClient(world.machine('client'), 'om', world.om.firstIds, { tryMs: 1_000, deadlineMs: 20_000 })
    const om = new RemoteOm(client)
    await om.execute({ kind: 'create-volume', volume: 'vol', owner: 'ann', quota: {} })
    const handOverTo = async (member: OmMember): Promise<void> => {
      await leader().life?.raft.transferLeadership(member.id)
      await world.until(`${member.id} leads`, 10_000, () => member.life?.raft.mayPropose === true)
    }
    await script({ world, om, leader, handOverTo })
    client.close()
    for (const { life } of world.om.members) await life?.close()
  })
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (isStoreError(error) ? error.code : String(error)),
  )

describe('a copy of a change that lay in a socket', () => {
  test('is not carried out by the member that reads it when it leads again, for the change was refused meanwhile', () =>
    withCluster(async ({ world, om, leader, handOverTo }) => {
      const { network, clock } = world.simulation
      const old = leader()
      const others = world.om.members.filter((member) => member !== old)
      const toClient = network.partition('client', old.id)
      const toOthers = others.map(({ id }) => network.partition(old.id, id))
      // Its first copy goes to the leader that the client knows; what answers is the next leader.
      expect(await codeOf(om.execute({ kind: 'delete-bucket', ...bucket }, { requestId: 'late' }))).toBe(
        'BucketNotFound',
      )
      expect(leader()).not.toBe(old)
      await om.execute(createBucket)
      for (const heal of toOthers) heal()
      await clock.sleep(3_000)
      await handOverTo(old)
      // Only now it reads what was sent to it in its first term.
      toClient()
      await clock.sleep(3_000)
      expect((await om.getBucket(bucket)).name).toBe('life')
      expect(leader()).toBe(old)
    }))

  test('is answered like the one that was carried out, when that one names the present term', () =>
    withCluster(async ({ om, leader, handOverTo, world }) => {
      const first = await om.execute(createBucket, { requestId: 'once' })
      const [next] = world.om.members.filter((member) => member !== leader())
      if (next !== undefined) await handOverTo(next)
      expect(await om.execute(createBucket, { requestId: 'once' })).toEqual(first)
    }))
})

test('leaders that change under load lose nothing, and do nothing twice', () =>
  withCluster(async ({ world, om, leader, handOverTo }) => {
    const { network, clock } = world.simulation
    await om.execute(createBucket)
    let isOver = false
    const written: string[] = []
    const write = async (name: string): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const key = `${name}-${n}`
        // Done twice it would fail: the key is there then.
        await om.execute({
          kind: 'commit-key',
          ...bucket,
          key,
          owner: 'ann',
          size: 1,
          content: { kind: 'inline', bytes: new Uint8Array(1) },
          attributes: { etag: key, headers: {}, metadata: {}, tags: {} },
          preconditions: { ifNoneMatch: '*' },
        })
        written.push(key)
        await clock.sleep(20)
      }
    }
    const writers = Array.from({ length: 8 }, (_, n) => write(`w${n}`))
    for (let round = 0; round < 6; round++) {
      const [next, other] = world.om.members.filter((member) => member !== leader())
      if (next === undefined || other === undefined) throw new Error('there are three')
      await handOverTo(next)
      await clock.sleep(300)
      const cuts: readonly Cancel[] = [other.id, 'client'].map((id) => network.block(next.id, id))
      await clock.sleep(round % 2 === 0 ? 2_500 : 100)
      for (const heal of cuts) heal()
      await clock.sleep(500)
    }
    isOver = true
    await Promise.all(writers)
    const page = await om.listKeys({ ...bucket, prefix: '', delimiter: '', after: '', limit: 10_000 })
    const found = page.items.map((item) => (item.kind === 'key' ? item.key.name : item.prefix))
    expect(found).toEqual(written.toSorted())
    expect(found.length).toBeGreaterThan(500)
  }))
