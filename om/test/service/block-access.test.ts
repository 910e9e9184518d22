/** Tokens that OM gives with leases and lookups, and the proofs without which it commits no block. */

import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { SimulatedStore } from '@o3/ratis/testing'
import type { ReplicationConfig } from '@o3/scm/api'
import { describe, expect, test } from 'vitest'
import type { Extent, Key, Lease, NewContent, OmCommand, OmReply } from '../../src/api/api.ts'
import { RemoteOm } from '../../src/client/client.ts'
import { defaultOmConfig } from '../../src/config.ts'
import { blockRuns } from '../../src/core/block-runs.ts'
import { omRules } from '../../src/core/rules.ts'
import { OmService } from '../../src/service/om-service.ts'
import { bucketRef, commitBlocks, createBucket, createVolume, keyRef } from '../fixtures/commands.ts'
import { proofOf, proven, testKey, vouchingAt } from '../fixtures/keys.ts'
import { CountingScm } from '../fixtures/pure-om.ts'
import { groupOf, serve } from '../fixtures/wire.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error
const away = new StoreError('Unavailable', 'nobody answers')

interface Place {
  readonly om: OmService
  readonly scm: CountingScm
  readonly machine: SimulatedStore<OmCommand, OmReply>
  /** The same OM, asked over the wire. */
  readonly remote: RemoteOm
}

function withOm(script: (place: Place) => Promise<void>): Promise<void> {
  const machine = new SimulatedStore<OmCommand, OmReply>(omRules, { seed: 'block access' })
  return machine.run(async () => {
    const env = machine.node.process
    const scm = new CountingScm()
    const config = { ...defaultOmConfig, leaseDurationMs: 60_000 }
    const om = new OmService({ store: machine.store, scm, clock: env.clock, config, log: nullLogger })
    await om.execute(createVolume)
    await om.execute(createBucket)
    await serve(om, env, machine.node.name)
    const remote = new RemoteOm(groupOf(machine.simulation.node('client').boot(), machine.node.name))
    await script({ om, scm, machine, remote })
    await machine.store.close()
  })
}

const lease = (om: Place['om'] | RemoteOm, replication: ReplicationConfig = 'RATIS/ONE'): Promise<Lease> =>
  om.leaseBlocks({ holder: 'g', count: 10, replication })

const extentOf = ({ ranges: [range] }: Lease, at: number, length = 5): Extent => ({
  block: { container: range?.container ?? 0, local: (range?.firstLocal ?? 0) + at },
  length,
})

describe('a lease', () => {
  test('comes with a token for each range, over the wire too, good for its term', () =>
    withOm(async ({ remote, machine }) => {
      const { clock } = machine.node.process
      const granted = await lease(remote)
      expect(granted.tokens).toHaveLength(granted.ranges.length)
      const [token] = granted.tokens ?? []
      const [range] = granted.ranges
      const datanode = vouchingAt(clock)
      const deed = { ...(range as NonNullable<typeof range>), modes: ['WRITE'] as const }
      expect(await datanode.admit(token, deed)).toMatchObject({
        mode: 'WRITE',
        maxBytes: defaultOmConfig.maxBlockBytes,
      })
      expect(() => datanode.admit(token, { ...deed, modes: ['READ', 'DELETE', 'COPY'] })).toThrow(code('AccessDenied'))
      expect(() => datanode.admit(token, { ...deed, count: 11 })).toThrow(code('AccessDenied'))
      await clock.sleep(60_000 + 62_000)
      expect(() => datanode.admit(token, deed)).toThrow('expired')
    }))

  test('that is renewed has new tokens', () =>
    withOm(async ({ remote, machine }) => {
      const { clock } = machine.node.process
      const granted = await lease(remote)
      await clock.sleep(50_000)
      const renewed = await remote.execute({ kind: 'renew-lease', lease: granted.id, durationMs: 60_000 })
      if (renewed.kind !== 'lease') throw new Error(renewed.kind)
      await clock.sleep(50_000 + 60_000)
      const datanode = vouchingAt(clock)
      const deed = { ...(granted.ranges[0] as NonNullable<(typeof granted.ranges)[0]>), modes: ['WRITE'] as const }
      await expect((async () => datanode.admit(granted.tokens?.[0], deed))()).rejects.toThrow('expired')
      expect(await datanode.admit(renewed.lease.tokens?.[0], deed)).toMatchObject({ mode: 'WRITE' })
    }))

  test('is not granted while there are no keys, and takes no blocks', () =>
    withOm(async ({ om, scm }) => {
      scm.keyFailure = away
      await expect(lease(om)).rejects.toThrow(code('Unavailable'))
      expect(scm.allocations).toBe(0)
      scm.keyFailure = undefined
      expect((await lease(om)).tokens).toHaveLength(1)
    }))
})

describe('a key', () => {
  async function withKey({ om }: Place, locals: readonly number[]): Promise<void> {
    const granted = await lease(om)
    await om.execute(
      commitBlocks(
        'a',
        granted.id,
        locals.map((at) => proven(extentOf(granted, at))),
      ),
    )
  }

  const grantsOf = ({ access }: Key): readonly (readonly [number, number])[] =>
    access?.grants.map(({ firstLocal, count }) => [firstLocal, count] as const) ?? []

  test('is answered with tokens to those who ask from afar: one for each run of its blocks', () =>
    withOm(async (place) => {
      const { om, remote, machine } = place
      await withKey(place, [0, 1, 2, 5, 6, 9])
      const key = await remote.getKey(keyRef('a'))
      expect(grantsOf(key)).toEqual([
        [1, 3],
        [6, 2],
        [10, 1],
      ])
      expect(key.access?.validMs).toBe(defaultOmConfig.readTokenMs)
      const looked = await remote.lookup({ places: [bucketRef], key: keyRef('a') })
      expect(looked.key?.kind === 'row' ? grantsOf(looked.key.row) : undefined).toEqual(grantsOf(key))
      expect((await om.getKey(keyRef('a'))).access).toBeUndefined()

      const { clock } = machine.node.process
      const datanode = vouchingAt(clock)
      for (const { token, ...run } of key.access?.grants ?? []) {
        expect(await datanode.admit(token, { ...run, modes: ['READ'] })).toMatchObject({ mode: 'READ' })
        const wider = { ...run, count: run.count + 1, modes: ['READ'] as const }
        await expect((async () => datanode.admit(token, wider))()).rejects.toThrow('other blocks')
        const write = { ...run, modes: ['WRITE', 'DELETE', 'COPY'] as const }
        await expect((async () => datanode.admit(token, write))()).rejects.toThrow('READ token')
      }
    }))

  test('with blocks is not answered without keys, and one without is', () =>
    withOm(async (place) => {
      const { om, scm, machine, remote } = place
      await withKey(place, [0])
      const inline = { ...commitBlocks('b', 0, []), content: { kind: 'inline', bytes: new Uint8Array() } } as const
      await om.execute(inline)
      scm.keyFailure = away
      await machine.node.process.clock.sleep(1)
      const { store, node } = machine
      const begun = new OmService({ store, scm, clock: node.process.clock, config: defaultOmConfig, log: nullLogger })
      await expect((async () => begun.getReadableKey(keyRef('a')))()).rejects.toThrow(code('Unavailable'))
      expect(await begun.lookupRows({ places: [], key: keyRef('a') })).toEqual({ places: [] })
      expect(await begun.getReadableKey(keyRef('b'))).toMatchObject({ name: 'b' })
      expect(await begun.lookupRows({ places: [], key: keyRef('b') })).toMatchObject({ key: { kind: 'row' } })
      expect(await remote.getKey(keyRef('b'))).toMatchObject({ name: 'b' })
    }))
})

test('runs are as few as they can be, and hold no other block', () => {
  const segments = ([7, 8, 8, 9, 11, 10, 3] as const).map((local) => ({
    kind: 'block' as const,
    block: { container: local === 3 ? 2 : 1, local },
    offset: 0,
    length: 1,
  }))
  const content = { kind: 'blocks', segments: [{ kind: 'inline', bytes: new Uint8Array(1) }, ...segments] } as const
  expect(blockRuns(content)).toEqual([
    { container: 1, firstLocal: 7, count: 3 },
    { container: 1, firstLocal: 11, count: 1 },
    { container: 1, firstLocal: 10, count: 1 },
    { container: 2, firstLocal: 3, count: 1 },
  ])
  expect(blockRuns({ kind: 'inline', bytes: new Uint8Array(9) })).toEqual([])
})

describe('a commit of blocks', () => {
  const other = { ...testKey, secret: new Uint8Array(32).fill(2) }

  test.each<[string, ReplicationConfig, (extent: Extent) => readonly Uint8Array[] | undefined, string | undefined]>([
    ['one that is proven', 'RATIS/ONE', (each) => [proofOf(each)], undefined],
    ['one without a proof', 'RATIS/ONE', () => undefined, '0 of 1'],
    ['one with a forged proof', 'RATIS/ONE', (each) => [proofOf(each, {}, other)], 'no datanode has signed'],
    [
      'one with the proof of another',
      'RATIS/ONE',
      (each) => [proofOf({ ...each, length: 6 })],
      'no datanode has signed',
    ],
    ['one with bytes', 'RATIS/ONE', () => [new Uint8Array(40)], 'no proof'],
    ['of three, proven once', 'RATIS/THREE', (each) => [proofOf(each)], '1 of 2'],
    ['of three, twice by one', 'RATIS/THREE', (each) => [proofOf(each), proofOf(each)], '1 of 2'],
    ['of three, by two', 'RATIS/THREE', (each) => [proofOf(each), proofOf(each, { datanode: 'd2' })], undefined],
    ['of three, agreed', 'RATIS/THREE', (each) => [proofOf(each, { kind: 'agreed' })], undefined],
    ['to be encoded, by one', 'EC/rs-6-3-1024k', (each) => [proofOf(each)], '1 of 2'],
  ])('%s', (_, replication, prove, lack) =>
    withOm(async ({ om, remote }) => {
      const granted = await lease(om, replication)
      const bare = extentOf(granted, 0)
      const proofs = prove(bare)
      const extent = proofs === undefined ? bare : { ...bare, proofs }
      const whole = commitBlocks('a', granted.id, [extent])
      const content: NewContent = { kind: 'leased-many', pieces: [{ lease: granted.id, extents: [extent] }] }
      const made = await om.execute({
        kind: 'create-upload',
        ...keyRef('u'),
        owner: 'ann',
        attributes: whole.attributes,
      })
      if (made.kind !== 'upload') throw new Error(made.kind)
      const { upload } = made
      const part = { kind: 'commit-part', ...keyRef('u'), upload, number: 1, size: 5, etag: 'e', content } as const
      if (lack === undefined) {
        expect(await remote.execute(whole)).toMatchObject({ kind: 'key' })
        // The same blocks again: the proof is good, the rules know better.
        await expect(remote.execute(part)).rejects.toThrow(code('LeaseExpired'))
        return
      }
      for (const command of [whole, { ...whole, content }, part]) {
        await expect(remote.execute(command)).rejects.toThrow(
          expect.objectContaining({
            code: 'InvalidArgument',
            message: expect.stringContaining(lack) as string,
          }) as Error,
        )
      }
      await expect((async () => om.getKey(keyRef('a')))()).rejects.toThrow(code('KeyNotFound'))
    }),
  )

  test('that is repeated after its lease has ended is answered as the first time', () =>
    withOm(async ({ om }) => {
      const granted = await lease(om)
      const command = commitBlocks('a', granted.id, [proven(extentOf(granted, 0))])
      const first = await om.execute(command, { requestId: 'r' })
      await om.execute({ kind: 'end-lease', lease: granted.id })
      expect(await om.execute(command, { requestId: 'r' })).toEqual(first)
      await expect(om.execute(command)).rejects.toThrow(code('LeaseExpired'))
      const forged = commitBlocks('a', granted.id, [extentOf(granted, 0)])
      await expect(om.execute(forged, { requestId: 'r2' })).rejects.toThrow(code('InvalidArgument'))
    }))

  test('one bad extent among many is enough', () =>
    withOm(async ({ om }) => {
      const granted = await lease(om)
      const extents = [0, 1, 2, 3].map((at) => proven(extentOf(granted, at)))
      const mixed = extents.with(2, extentOf(granted, 2))
      await expect(om.execute(commitBlocks('a', granted.id, mixed))).rejects.toThrow('block 7/3')
      expect(await om.execute(commitBlocks('a', granted.id, extents))).toMatchObject({ kind: 'key', size: 20 })
    }))

  test('waits for a key that OM has not seen, and is Unavailable when SCM cannot be asked', () =>
    withOm(async ({ om, scm, machine }) => {
      const granted = await lease(om)
      const next = { ...testKey, id: 2, secret: new Uint8Array(32).fill(2) }
      const bare = extentOf(granted, 0)
      const command = commitBlocks('a', granted.id, [{ ...bare, proofs: [proofOf(bare, {}, next)] }])
      await machine.node.process.clock.sleep(2_000)
      scm.keyFailure = away
      await expect(om.execute(command)).rejects.toThrow(code('Unavailable'))
      await machine.node.process.clock.sleep(2_000)
      scm.keyFailure = undefined
      scm.keys = { ...scm.keys, keys: [...scm.keys.keys, next] }
      expect(await om.execute(command)).toMatchObject({ kind: 'key' })
    }))
})
