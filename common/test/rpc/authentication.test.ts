import { describe, expect, test } from 'vitest'
import { NodeRandom } from '../../src/env/node/node-random.ts'
import { Secret } from '../../src/log/secret.ts'
import { keyClient, keyServer } from '../../src/rpc/rpc.ts'
import type { KnownKey, RpcMethods } from '../../src/rpc/rpc.ts'
import { bytes, simulatedWorld, text, withPair } from './worlds.ts'

const random = new NodeRandom()
const secret = new Secret('correct horse battery staple')
const keys = new Map<string, KnownKey<unknown>>([['alice', { secret, peer: { user: 'alice' } }]])
const server = keyServer((keyId) => Promise.resolve(keys.get(keyId)), random)
const clientWith = (keyId: string, given = secret) => keyClient({ keyId, secret: given }, random)

describe('two ends that share a secret', () => {
  const methods: RpcMethods<unknown> = { 'who.1': ({ peer }) => ({ payload: bytes(JSON.stringify(peer)) }) }

  test('find each other, and every call knows whose it is', async () => {
    await withPair(
      simulatedWorld(),
      methods,
      async ({ client }) => {
        expect(text((await client.call('who.1', bytes(''))).payload)).toBe('{"user":"alice"}')
      },
      { server: { authentication: server }, client: { authentication: clientWith('alice') } },
    )
  })

  test.each([
    ['the wrong secret', clientWith('alice', new Secret('guess'))],
    ['a key that does not exist', clientWith('mallory')],
    ['no key at all', () => ({ hello: () => bytes(''), prove: () => bytes('') })],
    ['a proof of nothing', () => ({ hello: clientWith('alice')().hello, prove: () => new Uint8Array(32) })],
  ])('refuse a client with %s', async (_, authentication) => {
    await withPair(
      simulatedWorld(),
      methods,
      async ({ client }) => {
        const call = client.call('who.1', bytes(''))
        await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/^(Unauthenticated|Damaged)$/) })
      },
      { server: { authentication: server }, client: { authentication } },
    )
  })

  test('refuse a server that does not know the secret, before anything is proved to it', async () => {
    let proofs = 0
    const impostor = keyServer(() => ({ secret: new Secret('guess'), peer: undefined }), random)
    const counting = () => {
      const handshake = impostor()
      return {
        welcome: handshake.welcome,
        accept: () => {
          proofs++
          return undefined
        },
      }
    }
    await withPair(
      simulatedWorld(),
      methods,
      async ({ client }) => {
        const call = client.call('who.1', bytes(''))
        await expect(call).rejects.toMatchObject({
          code: 'Unauthenticated',
          message: expect.stringContaining('server'),
        })
        expect(proofs).toBe(0)
      },
      { server: { authentication: counting }, client: { authentication: clientWith('alice') } },
    )
  })
})

describe('what goes over the line', () => {
  test('does not hold the secret, and is good for one connection only', async () => {
    const [client, first, second] = [clientWith('alice')(), server(), server()]
    const hello = await client.hello()
    const welcome = await first.welcome(hello)
    const proof = await client.prove(welcome)
    for (const message of [hello, welcome, proof]) expect(text(message)).not.toContain(secret.reveal())
    expect(await first.accept(proof)).toEqual({ user: 'alice' })
    // The same client's words, played to another connection.
    await second.welcome(hello)
    await expect((async () => second.accept(proof))()).rejects.toMatchObject({ code: 'Unauthenticated' })
  })

  test('cannot be turned round: the answer of a server is no proof of a client', async () => {
    const [client, first] = [clientWith('alice')(), server()]
    const welcome = await first.welcome(await client.hello())
    const answer = welcome.subarray(32)
    await expect((async () => first.accept(answer))()).rejects.toMatchObject({ code: 'Unauthenticated' })
  })
})
