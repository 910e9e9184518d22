/** Tokens and proofs made and checked with the keys of a ring. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { ReplicationConfig, SecretKey } from '../api/api.ts'
import { isSignedProof, lackOfProof, maxProofsPerBlock, readProof, signProof } from '../core/block-proof.ts'
import type { BlockProof, ProvenBlock } from '../core/block-proof.ts'
import { isSignedToken, judgeToken, readToken, signToken } from '../core/block-token.ts'
import type { BlockDeed, BlockToken } from '../core/block-token.ts'
import { hmac } from './hmac.ts'
import type { KeyRing } from './key-ring.ts'

/** What a token is to say, but for the key. */
export interface TokenGrant extends Omit<BlockToken, 'keyId' | 'expiresSeconds'> {
  /** Wall clock; the second it lies in is the last. */
  readonly expiresMs: number
}

export interface VouchingOptions {
  readonly keys: KeyRing
  readonly clock: Pick<Clock, 'wallMs'>
  /** So far the clocks of two machines may be apart. Default 60 s. */
  readonly skewMs?: number
  /** Tokens whose signature was right, so that it is not computed again. Default 4,096; the oldest goes first. */
  readonly maxRemembered?: number
}

export const defaultTokenSkewMs = 60_000

/**
 * What can be done at once is done at once; only where a key has to be asked for is there a promise. Bounded: the memory of
 * good tokens by `maxRemembered`, bad ones are not remembered.
 */
export class Vouching {
  readonly keys: KeyRing
  private readonly clock: Pick<Clock, 'wallMs'>
  private readonly skewMs: number
  private readonly maxRemembered: number
  /** By all their bytes: a token with another signature is another. */
  private readonly remembered = new Map<string, BlockToken>()

  constructor({ keys, clock, skewMs = defaultTokenSkewMs, maxRemembered = 4_096 }: VouchingOptions) {
    this.keys = keys
    this.clock = clock
    this.skewMs = skewMs
    this.maxRemembered = maxRemembered
  }

  /** 46 bytes. */
  token(grant: TokenGrant, key: SecretKey): Uint8Array {
    return signToken({ ...grant, expiresSeconds: Math.floor(grant.expiresMs / 1000) }, key, hmac)
  }

  /**
   * What the token says, when it is genuine and allows the deed. `AccessDenied` when there is none, it is not ours, is over,
   * for something else, or signed with a key that is believed no longer; `Unavailable` when its key is not here and SCM
   * cannot be asked.
   */
  admit(bytes: Uint8Array | undefined, deed: BlockDeed): BlockToken | Promise<BlockToken> {
    if (bytes === undefined) throw new StoreError('AccessDenied', 'there is no block token')
    const name = nameOf(bytes)
    const known = this.remembered.get(name)
    const token = known ?? readToken(bytes)
    if (token === undefined) throw forged()
    const key = this.keys.find(token.keyId)
    if (key === undefined) return this.admitLater(bytes, token, deed)
    if (known === undefined) {
      if (!isSignedToken(bytes, key, hmac)) throw forged()
      this.remember(name, token)
    }
    return this.judged(token, deed)
  }

  /** That this datanode has the block durably, or that the log of its pipeline has. */
  proof(proven: ProvenBlock, said: Omit<BlockProof, 'keyId'>, key: SecretKey): Uint8Array {
    return signProof(proven, said, key, hmac)
  }

  /**
   * Undefined when the proofs show that the block is durable; else why not. A promise only where a key has to be asked for,
   * which rejects with `Unavailable` when SCM cannot be.
   */
  lack(
    proven: ProvenBlock,
    proofs: readonly Uint8Array[],
    replication: ReplicationConfig,
  ): string | undefined | Promise<string | undefined> {
    if (proofs.length > maxProofsPerBlock) return `more than ${maxProofsPerBlock} proofs`
    const read = proofs.map(readProof)
    if (!read.every((proof) => proof !== undefined)) return 'what is no proof'
    const missing = read.find(({ keyId }) => this.keys.find(keyId) === undefined)
    if (missing !== undefined) return this.lackLater(missing.keyId, { proven, proofs, replication })
    const isForged = read.some(({ keyId }, at) => {
      const key = this.keys.find(keyId)
      return key === undefined || !isSignedProof(proofs[at] as Uint8Array, proven, key, hmac)
    })
    return isForged ? 'a proof that no datanode has signed for it' : lackOfProof(read, replication)
  }

  private async admitLater(bytes: Uint8Array, token: BlockToken, deed: BlockDeed): Promise<BlockToken> {
    const key = await this.keys.lookFor(token.keyId)
    if (key === undefined) throw new StoreError('AccessDenied', 'the key of the block token is believed no longer')
    if (!isSignedToken(bytes, key, hmac)) throw forged()
    this.remember(nameOf(bytes), token)
    return this.judged(token, deed)
  }

  private async lackLater(
    keyId: number,
    question: {
      readonly proven: ProvenBlock
      readonly proofs: readonly Uint8Array[]
      readonly replication: ReplicationConfig
    },
  ): Promise<string | undefined> {
    const key = await this.keys.lookFor(keyId)
    if (key === undefined) return 'a proof whose key is believed no longer'
    // Each turn has one key more, and there are at most as many as there are proofs.
    return this.lack(question.proven, question.proofs, question.replication)
  }

  private judged(token: BlockToken, deed: BlockDeed): BlockToken {
    const refusal: Refusal | undefined = judgeToken(token, deed, this.clock.wallMs() - this.skewMs)
    if (refusal !== undefined) throw StoreError.fromRecord(refusal)
    return token
  }

  private remember(name: string, token: BlockToken): void {
    const [oldest] = this.remembered.keys()
    if (this.remembered.size >= this.maxRemembered && oldest !== undefined) this.remembered.delete(oldest)
    this.remembered.set(name, token)
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function forged(): StoreError {
  return new StoreError('AccessDenied', 'the block token is not genuine')
}
