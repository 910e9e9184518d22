/** Who is let in over the wire, by the tokens that calls carry, and what a datanode signs. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import type { BlockId, ScmSecretKeyProtocol, SecretKey, SecretKeys } from '@o3/scm/api'
import { KeyRing, Vouching, allBlocks, anyLength } from '@o3/scm/tokens'
import type { TokenGrant, TokenMode } from '@o3/scm/tokens'
import { describe, expect, test } from 'vitest'
import type { BlockAccess, Datanode, PipelineMembership } from '../../src/api/api.ts'
import type { ServedDatanode } from '../../src/rpc/rpc.ts'
import { RemoteDatanode } from '../../src/client/client.ts'
import { ShardParents } from '../../src/ec/shard-parents.ts'
import { trustedClient } from '@o3/common/rpc'
import type { TokenCheck } from '../../src/rpc/rpc.ts'
import { copyTokens } from '../../src/service/copy-tokens.ts'
import { SigningDatanode } from '../../src/service/signing-datanode.ts'
import { testKeys } from '../harness/scripted-scm.ts'
import { withSimulatedWire } from '../harness/wire.ts'
import type { SimulatedScene } from '../harness/wire.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error

/** SCM's keys as a test turns them. */
class Keys implements ScmSecretKeyProtocol {
  keys: SecretKey[] = [...testKeys.keys]
  isAway = false

  async secretKeys(): Promise<SecretKeys> {
    if (this.isAway) throw new StoreError('Unavailable', 'nobody answers')
    return { keys: this.keys, refreshMs: 60_000 }
  }

  vouchingAt(clock: Clock): Vouching {
    return new Vouching({ keys: new KeyRing({ scm: this, clock, log: nullLogger }), clock })
  }
}

interface Scene extends SimulatedScene {
  readonly keys: Keys
  /** As OM has it. */
  readonly om: Vouching
  token(mode: TokenMode, over?: Partial<TokenGrant>): BlockAccess
}

const nowhere = {
  readSmall: () => Promise.reject(new StoreError('ContainerNotFound', 'it is not here')),
}

const container = 7
const block: BlockId = { container, local: 3 }
const bytes = new Uint8Array([1, 2, 3, 4, 5])
const whole = { offset: 0, length: 5 }

function withTokens(
  script: (scene: Scene) => Promise<void>,
  shardOf?: NonNullable<TokenCheck['shardOf']>,
): Promise<void> {
  const keys = new Keys()
  let datanode: Vouching | undefined
  // The clock is the machine's, which is made with the wire.
  const tokens: TokenCheck = {
    admit: (...asked) => (datanode as Vouching).admit(...asked),
    ...(shardOf === undefined ? {} : { shardOf }),
  }
  return withSimulatedWire(
    async (scene) => {
      const { clock } = scene.env
      datanode = keys.vouchingAt(scene.machine.env.clock)
      const om = keys.vouchingAt(clock)
      const key = await om.keys.ready()
      const token = (mode: TokenMode, over: Partial<TokenGrant> = {}): BlockAccess => {
        const grant = {
          mode,
          container,
          firstLocal: 3,
          count: 1,
          maxBytes: anyLength,
          expiresMs: clock.wallMs() + 60_000,
        }
        return { token: om.token({ ...grant, ...over }, key) }
      }
      await script(Object.assign(scene, { keys, om, token }))
    },
    { tokens },
  )
}

type Call = readonly [
  string,
  (datanode: RemoteDatanode, access?: BlockAccess) => Promise<unknown>,
  readonly TokenMode[],
]

const drained = async (pieces: AsyncIterable<Uint8Array>): Promise<number> => {
  let length = 0
  for await (const piece of pieces) length += piece.length
  return length
}

/** A block that is there already is not written again, which is for the datanode to say. */
async function isLetIn(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (error instanceof StoreError && error.message.includes('was written before')) return true
    throw error
  }
}

const blockCalls: readonly Call[] = [
  ['writeBlock', (datanode, access) => datanode.writeBlock(block, [bytes], access), ['WRITE', 'COPY']],
  ['openWriter', async (datanode, access) => (await datanode.openWriter(block, access)).abort(), ['WRITE', 'COPY']],
  ['read', (datanode, access) => drained(datanode.read(block, whole, access)), ['READ', 'COPY']],
  ['readSmall', (datanode, access) => datanode.readSmall(block, whole, access), ['READ', 'COPY']],
]
const modes: readonly TokenMode[] = ['READ', 'WRITE', 'DELETE', 'COPY']

describe.each(blockCalls)('%s', (_, call, allowed) => {
  test('wants a token for it, and each other is refused', () =>
    withTokens(async ({ datanode, local, token }) => {
      await local.writeBlock(block, [bytes])
      await expect(call(datanode)).rejects.toThrow(code('AccessDenied'))
      for (const mode of modes) {
        if (allowed.includes(mode)) expect(await isLetIn(call(datanode, token(mode))), mode).toBe(true)
        else await expect(call(datanode, token(mode)), mode).rejects.toThrow(code('AccessDenied'))
      }
      const [mode] = allowed as [TokenMode]
      for (const other of [{ container: 8 }, { firstLocal: 2 }, { firstLocal: 4 }, { expiresMs: 0 }]) {
        await expect(call(datanode, token(mode, other)), JSON.stringify(other)).rejects.toThrow(code('AccessDenied'))
      }
    }))

  test('is refused with a token of which one bit is another', () =>
    withTokens(async ({ datanode, local, token }) => {
      await local.writeBlock(block, [bytes])
      const good = token(allowed[0] as TokenMode).token as Uint8Array
      for (let at = 0; at < good.length; at++) {
        const bad = good.with(at, (good[at] as number) ^ (1 << (at & 7)))
        await expect(call(datanode, { token: bad }), `byte ${at}`).rejects.toThrow(code('AccessDenied'))
      }
      expect(await isLetIn(call(datanode, { token: good }))).toBe(true)
    }))
})

test('nothing of a refused write is on the disk', () =>
  withTokens(async ({ datanode, local, token }) => {
    await expect(datanode.writeBlock(block, [bytes], token('READ'))).rejects.toThrow(code('AccessDenied'))
    expect(local.containers()).toEqual([])
  }))

describe('the length of a block', () => {
  test('is no more than its token allows', () =>
    withTokens(async ({ datanode, token }) => {
      await expect(datanode.writeBlock(block, [bytes], token('WRITE', { maxBytes: 4 }))).rejects.toThrow(
        'allows 4 bytes',
      )
      const writer = await datanode.openWriter(block, token('WRITE', { maxBytes: 12 }))
      await writer.write([bytes])
      await writer.write([bytes])
      await expect(writer.write([bytes])).rejects.toThrow(code('AccessDenied'))
      await writer.abort()
      const exact = token('WRITE', { firstLocal: 5, maxBytes: 5 })
      expect(await datanode.writeBlock({ container, local: 5 }, [bytes], exact)).toMatchObject({ lengthBytes: 5 })
    }))
})

describe('keys', () => {
  test('that come while calls go on are taken up; one that is over opens nothing', () =>
    withTokens(async ({ datanode, local, keys, om, token, env }) => {
      await local.writeBlock(block, [bytes])
      const before = token('READ', { expiresMs: env.clock.wallMs() + 1e9 })
      await datanode.readSmall(block, whole, before)
      await env.clock.sleep(2_000)
      const next = { ...(testKeys.keys[0] as SecretKey), id: 2, secret: new Uint8Array(32).fill(2) }
      keys.keys = [...keys.keys, next]
      const grant = { mode: 'READ' as const, ...block, firstLocal: 3, count: 1, maxBytes: anyLength }
      const after = om.token({ ...grant, expiresMs: env.clock.wallMs() + 60_000 }, next)
      await datanode.readSmall(block, whole, { token: after })
      await datanode.readSmall(block, whole, before)
      // Over for SCM: the datanode hears of it with its next question.
      keys.keys = [next]
      await env.clock.sleep(2_000)
      const unknown = om.token({ ...grant, expiresMs: env.clock.wallMs() + 60_000 }, { ...next, id: 9 })
      await expect(datanode.readSmall(block, whole, { token: unknown })).rejects.toThrow(code('AccessDenied'))
      await expect(datanode.readSmall(block, whole, before)).rejects.toThrow('believed no longer')
    }))

  test('that a datanode never had make calls Unavailable, not free', () =>
    withTokens(async ({ datanode, local, keys, token }) => {
      await local.writeBlock(block, [bytes])
      keys.isAway = true
      await expect(datanode.readSmall(block, whole, token('READ'))).rejects.toThrow(code('Unavailable'))
      keys.isAway = false
      await datanode.readSmall(block, whole, token('READ'))
    }))
})

describe('between datanodes', () => {
  const peerOf = ({ om, env, address }: Scene): RemoteDatanode =>
    new RemoteDatanode({
      env,
      id: 'dn-1',
      address,
      authentication: trustedClient,
      tokenFor: copyTokens(() => om, env.clock),
    })

  test('a datanode that has no keys yet, because it only starts, waits', () =>
    withTokens(async ({ env, address }) => {
      const tokenFor = copyTokens(() => undefined, env.clock)
      const peer = new RemoteDatanode({ env, id: 'dn-1', address, authentication: trustedClient, tokenFor })
      await expect(peer.listBlocks(container)).rejects.toThrow(code('Unavailable'))
      peer.close()
    }))

  test('every call about containers and blocks has its own token', () =>
    withTokens(async (scene) => {
      const peer = peerOf(scene)
      await peer.createContainer(container)
      await peer.writeBlock(block, [bytes])
      const writer = await peer.openWriter({ container, local: 4 })
      await writer.write([bytes])
      await writer.commit()
      expect(await peer.listBlocks(container)).toHaveLength(2)
      expect(await peer.readSmall(block, whole)).toEqual(bytes)
      expect(await drained(peer.read(block, whole))).toBe(5)
      await peer.deleteBlocks([{ container, firstLocal: 4, count: 1 }])
      await peer.closeContainer(container)
      expect(await peer.listBlocks(container)).toHaveLength(1)
      await peer.deleteContainer(container)
      expect(scene.local.containers()).toEqual([])
      peer.close()
    }))

  test.each<readonly [string, (datanode: Datanode & PipelineMembership) => Promise<unknown>]>([
    ['createContainer', (datanode) => datanode.createContainer(container)],
    ['closeContainer', (datanode) => datanode.closeContainer(container)],
    ['deleteContainer', (datanode) => datanode.deleteContainer(container)],
    ['deleteBlocks', (datanode) => datanode.deleteBlocks([{ container, firstLocal: 3, count: 1 }])],
    ['listBlocks', (datanode) => datanode.listBlocks(container)],
    ['createPipeline', (datanode) => datanode.createPipeline('p', [])],
    ['closePipeline', (datanode) => datanode.closePipeline('p')],
  ])('who has no keys cannot %s', (_, call) =>
    withTokens(async (scene) => {
      await scene.local.writeBlock(block, [bytes])
      await expect(call(scene.datanode)).rejects.toThrow(code('AccessDenied'))
      expect(scene.local.containers()).toMatchObject([{ id: container, state: 'OPEN', blockCount: 1 }])
    }),
  )

  test('a token to copy deletes nothing, and one to delete reads nothing', () =>
    withTokens(async ({ local, token, env, address }) => {
      await local.writeBlock(block, [bytes])
      const bearing = (mode: TokenMode): RemoteDatanode => {
        const { token: bearer } = token(mode, allBlocks)
        const tokenFor = (): Uint8Array => bearer as Uint8Array
        return new RemoteDatanode({ env, id: 'dn-1', address, authentication: trustedClient, tokenFor })
      }
      const copier = bearing('COPY')
      await expect(copier.deleteContainer(container)).rejects.toThrow(code('AccessDenied'))
      await expect(copier.deleteBlocks([{ container, firstLocal: 3, count: 1 }])).rejects.toThrow(code('AccessDenied'))
      const deleter = bearing('DELETE')
      await expect(deleter.listBlocks(container)).rejects.toThrow(code('AccessDenied'))
      await expect(deleter.deleteBlocks([{ container: 8, firstLocal: 1, count: 1 }])).rejects.toThrow(
        code('AccessDenied'),
      )
      await deleter.deleteBlocks([{ container, firstLocal: 3, count: 1 }])
      copier.close()
      deleter.close()
    }))
})

describe('a shard', () => {
  const parent = 90
  const ofParent = { container: parent, firstLocal: 17, count: 2 }

  test('is read with a token for the container whose shard it is, and not written', () =>
    withTokens(
      async ({ datanode, local, token }) => {
        await local.writeBlock(block, [bytes])
        expect(await datanode.readSmall(block, whole, token('READ', ofParent))).toEqual(bytes)
        expect(await drained(datanode.read(block, whole, token('READ', ofParent)))).toBe(5)
        const denied = code('AccessDenied')
        await expect(datanode.readSmall(block, whole, token('READ', { ...ofParent, container: 91 }))).rejects.toThrow(
          denied,
        )
        await expect(datanode.readSmall(block, whole, token('READ', { ...ofParent, expiresMs: 0 }))).rejects.toThrow(
          denied,
        )
        await expect(datanode.readSmall(block, whole, token('WRITE', ofParent))).rejects.toThrow(denied)
        const forged = (token('READ', ofParent).token as Uint8Array).with(40, 0).with(41, 0)
        await expect(datanode.readSmall(block, whole, { token: forged })).rejects.toThrow(denied)
        await expect(datanode.writeBlock(block, [bytes], token('WRITE', ofParent))).rejects.toThrow(denied)
        await expect(datanode.readSmall({ container: 8, local: 3 }, whole, token('READ', ofParent))).rejects.toThrow(
          denied,
        )
      },
      async (id) => (id === container ? parent : undefined),
    ))

  test('that is not here any more is not found, which tells a reader to look elsewhere', () =>
    withTokens(
      async ({ datanode, token }) => {
        const cell = { container: 8, local: 1 }
        const read = datanode.readSmall(cell, { offset: 0, length: 1 }, token('READ', ofParent))
        await expect(read).rejects.toThrow(code('ContainerNotFound'))
      },
      async (id) => await new ShardParents(nowhere).of(id),
    ))

  test('that is none wants a token for itself', () =>
    withTokens(async ({ datanode, local, token }) => {
      await local.writeBlock(block, [bytes])
      await expect(datanode.readSmall(block, whole, token('READ', ofParent))).rejects.toThrow(code('AccessDenied'))
    }))
})

describe('receipts', () => {
  test('are signed after the write, for this block, of this length, by this datanode', () =>
    withTokens(async ({ local, om, env, keys }) => {
      const signing = new SigningDatanode(local, keys.vouchingAt(env.clock))
      const small = await signing.writeBlock(block, [bytes])
      const writer = await signing.openWriter({ container, local: 4 })
      await writer.write([bytes, bytes])
      const large = await writer.commit()
      for (const { block: of, lengthBytes, proofs = [] } of [small, large]) {
        expect(om.lack({ block: of, lengthBytes }, proofs, 'RATIS/ONE')).toBeUndefined()
        expect(om.lack({ block: of, lengthBytes: lengthBytes + 1 }, proofs, 'RATIS/ONE')).toContain(
          'no datanode has signed',
        )
        expect(om.lack({ block: of, lengthBytes }, proofs, 'RATIS/THREE')).toContain('1 of 2')
      }
    }))

  test('through a pipeline are the word of its log', () =>
    withTokens(async ({ local, om, env, keys }) => {
      // A pipeline has answered: what it does is not of concern here.
      const answering = Object.create(local, {
        writeBlock: { value: (of: BlockId) => Promise.resolve({ block: of, lengthBytes: 5, datanodes: ['dn-1'] }) },
      }) as ServedDatanode
      const signing = new SigningDatanode(answering, keys.vouchingAt(env.clock))
      const { lengthBytes, proofs = [] } = await signing.writeBlock(block, [bytes], { pipeline: 'p' })
      expect(om.lack({ block, lengthBytes }, proofs, 'RATIS/THREE')).toBeUndefined()
      const { proofs: own = [] } = await signing.writeBlock(block, [bytes])
      expect(om.lack({ block, lengthBytes }, own, 'RATIS/THREE')).toContain('1 of 2')
    }))

  test('are of nothing while there are no keys: then nothing is written', () =>
    withTokens(async ({ local, env, keys }) => {
      keys.isAway = true
      const signing = new SigningDatanode(local, keys.vouchingAt(env.clock))
      await expect(signing.writeBlock(block, [bytes])).rejects.toThrow(code('Unavailable'))
      await expect(signing.openWriter(block)).rejects.toThrow(code('Unavailable'))
      expect(local.containers()).toEqual([])
    }))
})
