import { createHmac, timingSafeEqual } from 'node:crypto'
import { ByteReader, ByteWriter } from '../codec/codec.ts'
import type { Random } from '../env/env.ts'
import { StoreError } from '../errors.ts'
import type { Secret } from '../log/secret.ts'
import type { ClientHandshake, ServerHandshake } from './authentication.ts'

const challengeSizeBytes = 32

export interface ClientKey {
  readonly keyId: string
  readonly secret: Secret
}

/** What the server knows of a key. */
export interface KnownKey<Peer> {
  readonly secret: Secret
  readonly peer: Peer
}

/**
 * Mutual proof of a shared secret, which is never sent: each side answers the other's fresh challenge with
 * HMAC-SHA256 over both challenges, the key id and the name of its role, so that no answer can be played back or turned
 * round. It does not encrypt, and it does not protect what follows from somebody who sits on the line: between hosts it
 * goes over TLS.
 */
export function keyClient(key: ClientKey, random: Random): () => ClientHandshake {
  return () => {
    const ours = random.bytes(challengeSizeBytes)
    return {
      hello: () => new ByteWriter().u8(1).utf8(key.keyId).raw(ours).finish(),
      prove: (welcome) => {
        const reader = new ByteReader(welcome)
        const theirs = reader.raw(challengeSizeBytes)
        const context = { keyId: key.keyId, client: ours, server: theirs }
        const claimed = reader.raw(reader.remaining)
        if (!isEqual(claimed, answer('server', key.secret, context))) {
          throw new StoreError('Unauthenticated', 'the server does not know the secret of this key')
        }
        return answer('client', key.secret, context)
      },
    }
  }
}

/** `find` gives undefined for a key that does not exist, which a client cannot tell from a wrong secret. */
export function keyServer<Peer>(
  find: (keyId: string) => Promise<KnownKey<Peer> | undefined> | KnownKey<Peer> | undefined,
  random: Random,
): () => ServerHandshake<Peer> {
  return () => {
    const ours = random.bytes(challengeSizeBytes)
    let known: KnownKey<Peer> | undefined
    let expected: Uint8Array | undefined
    return {
      welcome: async (hello) => {
        const reader = new ByteReader(hello)
        if (reader.u8() !== 1) throw new StoreError('Incompatible', 'the key exchange has another version')
        const keyId = reader.utf8()
        const theirs = reader.raw(challengeSizeBytes)
        known = await find(keyId)
        // For an unknown key the answer is made with a secret that nobody has.
        const secret = known?.secret ?? {
          reveal: () => Buffer.from(random.bytes(challengeSizeBytes)).toString('latin1'),
        }
        const context = { keyId, client: theirs, server: ours }
        expected = answer('client', secret, context)
        return new ByteWriter()
          .raw(ours)
          .raw(answer('server', secret, context))
          .finish()
      },
      accept: (proof) => {
        if (known === undefined || expected === undefined || !isEqual(proof, expected)) {
          throw new StoreError('Unauthenticated', 'the key or its secret is wrong')
        }
        return known.peer
      },
    }
  }
}

interface Exchange {
  readonly keyId: string
  readonly client: Uint8Array
  readonly server: Uint8Array
}

function answer(role: 'client' | 'server', secret: Pick<Secret, 'reveal'>, exchange: Exchange): Uint8Array {
  const message = new ByteWriter()
    .utf8(`o3-rpc-1 ${role}`)
    .bytes(exchange.client)
    .bytes(exchange.server)
    .utf8(exchange.keyId)
    .finish()
  return createHmac('sha256', secret.reveal()).update(message).digest()
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
