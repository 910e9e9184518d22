/**
 * A proof is what a datanode gives for a block that is durable: OM believes it, and nobody who merely passes it on can make
 * one. It does not repeat which block of what length it is for: who checks it says that.
 *
 * Format (1) · flags (1) · key id (4) · checksum (4) · MAC (16) · datanode id (UTF-8, behind its length). The MAC covers all
 * of it but itself, with container, local id and length.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BlockId, DatanodeId, ReplicationConfig, SecretKey } from '../api/api.ts'
import { isSameMac, macBytes } from './mac.ts'
import type { Mac } from './mac.ts'

/** `stored`: this replica has it durably. `agreed`: the log of its pipeline has it, durably on a majority. */
export type ProofKind = 'stored' | 'agreed'

export interface BlockProof {
  readonly kind: ProofKind
  readonly keyId: number
  readonly datanode: DatanodeId
  /** As in the receipt. */
  readonly checksum: number | undefined
}

/** What a proof is for. */
export interface ProvenBlock {
  readonly block: BlockId
  readonly lengthBytes: number
}

/** An id of a datanode is short; what is longer is none. */
export const maxProofBytes = 320
/** More than there are replicas of anything. */
export const maxProofsPerBlock = 16

const format = 0x21
const agreedFlag = 1
const checksumFlag = 2

export function signProof(
  proven: ProvenBlock,
  proof: Omit<BlockProof, 'keyId'>,
  key: Pick<SecretKey, 'id' | 'secret'>,
  mac: Mac,
): Uint8Array {
  const signed = { ...proof, keyId: key.id }
  const computed = mac(key.secret, messageOf(proven, signed))
  return headOf(signed, 96).raw(computed.subarray(0, macBytes)).utf8(proof.datanode).finish()
}

/** What the bytes claim. Undefined: they are no proof. */
export function readProof(bytes: Uint8Array): BlockProof | undefined {
  return parse(bytes)?.proof
}

/** Whether the holder of this key has signed it for that block. In constant time. */
export function isSignedProof(
  bytes: Uint8Array,
  proven: ProvenBlock,
  key: Pick<SecretKey, 'secret'>,
  mac: Mac,
): boolean {
  const parsed = parse(bytes)
  return parsed !== undefined && isSameMac(parsed.mac, mac(key.secret, messageOf(proven, parsed.proof)))
}

/**
 * Why these genuine proofs do not show that a block is durable; undefined when they do. Of `RATIS/ONE` one replica is enough;
 * of three, two, or the word of one that the log of the pipeline has it.
 */
export function lackOfProof(proofs: readonly BlockProof[], replication: ReplicationConfig): string | undefined {
  const checksums = new Set(proofs.map(({ checksum }) => checksum).filter((checksum) => checksum !== undefined))
  if (checksums.size > 1) return 'the datanodes have different bytes'
  if (proofs.some(({ kind }) => kind === 'agreed')) return undefined
  const wanted = replication === 'RATIS/ONE' ? 1 : 2
  const found = new Set(proofs.map(({ datanode }) => datanode)).size
  return found >= wanted ? undefined : `${found} of ${wanted} datanodes have said that they have it`
}

function headOf({ kind, keyId, checksum }: Omit<BlockProof, 'datanode'>, sizeBytes: number): ByteWriter {
  const flags = (kind === 'agreed' ? agreedFlag : 0) | (checksum === undefined ? 0 : checksumFlag)
  return new ByteWriter(sizeBytes)
    .u8(format)
    .u8(flags)
    .u32(keyId)
    .u32(checksum ?? 0)
}

function messageOf({ block, lengthBytes }: ProvenBlock, proof: BlockProof): Uint8Array {
  const { container, local } = block
  return headOf(proof, 96).varint(container).varint(local).varint(lengthBytes).utf8(proof.datanode).finish()
}

interface Parsed {
  readonly proof: BlockProof
  readonly mac: Uint8Array
}

function parse(bytes: Uint8Array): Parsed | undefined {
  if (bytes.length > maxProofBytes) return undefined
  try {
    const reader = new ByteReader(bytes)
    const found = reader.u8()
    const flags = reader.u8()
    if (found !== format || flags > (agreedFlag | checksumFlag)) return undefined
    const keyId = reader.u32()
    const checksum = reader.u32()
    const mac = reader.raw(macBytes)
    const datanode = reader.utf8()
    if (reader.remaining > 0) return undefined
    const kind = (flags & agreedFlag) === 0 ? 'stored' : 'agreed'
    return { mac, proof: { kind, keyId, datanode, checksum: (flags & checksumFlag) === 0 ? undefined : checksum } }
  } catch (error) {
    // Torn or made up.
    if (error instanceof StoreError) return undefined
    throw error
  }
}
