/** Tokens and proofs over a ring whose SCM a script answers for. */

import { Simulation } from '@o3/common/env/sim'
import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/log'
import { describe, expect, test } from 'vitest'
import { KeyRing, Vouching, anyLength } from '../../src/access/access.ts'
import type { BlockDeed, TokenGrant } from '../../src/access/access.ts'
import type { ScmSecretKeyProtocol, SecretKey, SecretKeys } from '../../src/api/api.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error
const hourMs = 3_600_000

/** SCM as far as it has keys. */
class KeyScm implements ScmSecretKeyProtocol {
  keys: SecretKey[] = []
  isAway = false
  questions = 0

  async secretKeys(): Promise<SecretKeys> {
    this.questions++
    if (this.isAway) throw new StoreError('Unavailable', 'nobody answers')
    return { keys: this.keys, refreshMs: 60_000 }
  }

  add(id: number, activeFromMs: number, lifeMs = 3 * hourMs): SecretKey {
    const key = { id, secret: new Uint8Array(32).fill(id), activeFromMs, expiresMs: activeFromMs + lifeMs }
    this.keys.push(key)
    return key
  }
}

interface World {
  readonly scm: KeyScm
  readonly clock: Clock
  readonly nowMs: number
  member(options?: { readonly maxRemembered?: number }): Vouching
}

function inWorld(script: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'vouching' })
  return simulation.run(async () => {
    const { clock } = simulation.node('one').boot()
    const scm = new KeyScm()
    const member = (options = {}): Vouching =>
      new Vouching({ keys: new KeyRing({ scm, clock, log: nullLogger }), clock, ...options })
    await script({ scm, clock, nowMs: clock.wallMs(), member })
  })
}

const run = { container: 7, firstLocal: 1, count: 10 }
const deed: BlockDeed = { ...run, modes: ['READ'], firstLocal: 3, count: 1 }
const grantUntil = (expiresMs: number): TokenGrant => ({ ...run, mode: 'READ', maxBytes: anyLength, expiresMs })

describe('a token', () => {
  test('of one member is believed by another, at once when it has the key', () =>
    inWorld(async ({ scm, nowMs, member }) => {
      scm.add(1, nowMs)
      const om = member()
      const datanode = member()
      const token = om.token(grantUntil(nowMs + hourMs), await om.keys.ready())
      expect(await datanode.admit(token, deed)).toMatchObject({ mode: 'READ', keyId: 1 })
      expect(datanode.admit(token, deed)).not.toBeInstanceOf(Promise)
      expect(scm.questions).toBe(2)
    }))

  test('is remembered, but judged each time; and each other signature is looked at', () =>
    inWorld(async ({ scm, clock, nowMs, member }) => {
      scm.add(1, nowMs)
      const om = member({ maxRemembered: 2 })
      const key = await om.keys.ready()
      const token = om.token(grantUntil(nowMs + 10_000), key)
      expect(om.admit(token, deed)).toMatchObject({ keyId: 1 })
      expect(() => om.admit(token, { ...deed, modes: ['WRITE', 'COPY'] })).toThrow(code('AccessDenied'))
      expect(() => om.admit(token, { ...deed, container: 8 })).toThrow(code('AccessDenied'))
      const forged = token.slice()
      forged[45] = (forged[45] as number) ^ 1
      expect(() => om.admit(forged, deed)).toThrow(code('AccessDenied'))
      expect(() => om.admit(undefined, deed)).toThrow(code('AccessDenied'))
      expect(() => om.admit(new Uint8Array(46), deed)).toThrow(code('AccessDenied'))
      for (let other = 0; other < 5; other++) {
        const another = om.token(grantUntil(nowMs + 20_000 + 1000 * other), key)
        expect(om.admit(another, deed)).toMatchObject({ keyId: 1 })
      }
      expect(om.admit(token, deed)).toMatchObject({ container: 7 })
      await clock.sleep(10_000 + 60_000)
      expect(om.admit(token, deed)).toMatchObject({ container: 7 })
      await clock.sleep(1_000)
      expect(() => om.admit(token, deed)).toThrow('expired')
    }))

  test('of a key that is over is not believed, remembered or not', () =>
    inWorld(async ({ scm, clock, nowMs, member }) => {
      scm.add(1, nowMs, 10_000)
      const om = member()
      const token = om.token(grantUntil(nowMs + hourMs), await om.keys.ready())
      expect(om.admit(token, deed)).toMatchObject({ keyId: 1 })
      await clock.sleep(10_000)
      scm.keys = []
      scm.add(2, nowMs)
      await expect(om.admit(token, deed)).rejects.toThrow('believed no longer')
    }))

  test('of a key that nobody made costs SCM one question a second', () =>
    inWorld(async ({ scm, nowMs, member, clock }) => {
      scm.add(1, nowMs)
      const stranger = member()
      const datanode = member()
      await datanode.keys.ready()
      const before = scm.questions
      const made = { id: 99, secret: new Uint8Array(32), activeFromMs: 0, expiresMs: nowMs + hourMs }
      const token = stranger.token(grantUntil(nowMs + hourMs), made)
      for (let round = 0; round < 20; round++) {
        await expect(datanode.admit(token, deed)).rejects.toThrow(code('AccessDenied'))
        await clock.sleep(100)
      }
      expect(scm.questions - before).toBeLessThanOrEqual(2)
    }))
})

describe('keys', () => {
  test('that were never had are Unavailable, and come when SCM does', () =>
    inWorld(async ({ scm, nowMs, member }) => {
      scm.isAway = true
      const om = member()
      await expect(om.keys.ready()).rejects.toThrow(code('Unavailable'))
      expect(om.keys.signing).toBeUndefined()
      scm.isAway = false
      scm.add(1, nowMs)
      expect(await om.keys.ready()).toMatchObject({ id: 1 })
    }))

  test('that are here go on while SCM is away', () =>
    inWorld(async ({ scm, clock, nowMs, member }) => {
      scm.add(1, nowMs)
      const om = member()
      const key = await om.keys.ready()
      scm.isAway = true
      await clock.sleep(2 * hourMs)
      expect(om.keys.signing).toBe(key)
      await clock.sleep(hourMs)
      await expect(om.keys.ready()).rejects.toThrow(code('Unavailable'))
    }))

  test('are asked for ahead of need, so that a rotation refuses nobody and waits for nobody', () =>
    inWorld(async ({ scm, clock, nowMs, member }) => {
      scm.add(1, nowMs)
      const [om, datanode] = [member(), member()]
      const stop = new AbortController()
      const running = [om, datanode].map((each) => each.keys.run(stop.signal).catch((error: unknown) => error))
      await clock.sleep(1)
      for (let minute = 0; minute < 240; minute++) {
        if (minute % 30 === 0) scm.add(2 + minute / 30, clock.wallMs() + 5 * 60_000)
        const signing = om.keys.signing as SecretKey
        const token = om.token(grantUntil(clock.wallMs() + hourMs), signing)
        expect(datanode.admit(token, deed)).not.toBeInstanceOf(Promise)
        const proven = { block: { container: 7, local: 3 }, lengthBytes: 5 }
        const proof = datanode.proof(proven, { kind: 'stored', datanode: 'd', checksum: 1 }, signing)
        expect(om.lack(proven, [proof], 'RATIS/ONE')).toBeUndefined()
        await clock.sleep(60_000)
      }
      expect(om.keys.signing?.id).toBe(9)
      stop.abort(new Error('over'))
      await Promise.all(running)
    }))
})

describe('proofs', () => {
  const proven = { block: { container: 7, local: 3 }, lengthBytes: 5 }

  test('are asked after: genuine ones are enough, others say why not', () =>
    inWorld(async ({ scm, nowMs, member }) => {
      scm.add(1, nowMs)
      const datanode = member()
      const key = await datanode.keys.ready()
      const om = member()
      const proof = datanode.proof(proven, { kind: 'stored', datanode: 'd', checksum: 1 }, key)
      expect(await om.lack(proven, [proof], 'RATIS/ONE')).toBeUndefined()
      expect(om.lack(proven, [proof], 'RATIS/THREE')).toContain('1 of 2')
      expect(om.lack(proven, [proof, proof], 'RATIS/THREE')).toContain('1 of 2')
      expect(om.lack({ ...proven, lengthBytes: 6 }, [proof], 'RATIS/ONE')).toContain('no datanode has signed')
      expect(om.lack(proven, [new Uint8Array(20)], 'RATIS/ONE')).toContain('no proof')
      expect(om.lack(proven, [], 'RATIS/ONE')).toContain('0 of 1')
      expect(
        om.lack(
          proven,
          Array.from({ length: 17 }, () => proof),
          'RATIS/ONE',
        ),
      ).toContain('more than 16')
    }))

  test('of a key that OM has not seen are looked up; of one that nobody made they are not believed', () =>
    inWorld(async ({ scm, clock, nowMs, member }) => {
      scm.add(1, nowMs)
      const om = member()
      await om.keys.ready()
      await clock.sleep(1_000)
      const next = scm.add(2, nowMs)
      const proof = om.proof(proven, { kind: 'stored', datanode: 'd', checksum: 1 }, next)
      expect(await om.lack(proven, [proof], 'RATIS/ONE')).toBeUndefined()
      const made = om.proof(proven, { kind: 'stored', datanode: 'd', checksum: 1 }, { ...next, id: 77 })
      expect(await om.lack(proven, [made], 'RATIS/ONE')).toContain('believed no longer')
    }))
})
