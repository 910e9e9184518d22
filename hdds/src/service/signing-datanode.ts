/** Receipts with the signature of their datanode, for OM to believe that a block is durable. */

import type { BlockId, DatanodeId, SecretKey } from '@o3/scm/api'
import type { ProofKind, Vouching } from '@o3/scm/tokens'
import type {
  BlockReceipt,
  BlockWriter,
  KnownChecksums,
  Datanode,
  PipelineMembership,
  ReplicaAccess,
  ReplicaSource,
} from '../api/api.ts'
import { ForwardingDatanode } from './forwarding-datanode.ts'

/** Signs a receipt of this datanode. */
type Sign = (receipt: BlockReceipt, kind: ProofKind) => BlockReceipt

/**
 * The datanode, which signs for every block that it has written, after the sync. It has its key before: while there is none
 * a write is `Unavailable`, and nothing is written. Costs one HMAC a block.
 */
export class SigningDatanode extends ForwardingDatanode {
  private readonly vouching: Vouching

  constructor(inner: Datanode & PipelineMembership & ReplicaSource, vouching: Vouching) {
    super(inner)
    this.vouching = vouching
  }

  override async writeBlock(
    block: BlockId,
    pieces: readonly Uint8Array[],
    access?: ReplicaAccess,
  ): Promise<BlockReceipt> {
    const sign = await this.signer()
    const receipt = await this.inner.writeBlock(block, pieces, access)
    // Through a pipeline it is the log that has it, on a majority, and its leader says so.
    return sign(receipt, access?.pipeline === undefined ? 'stored' : 'agreed')
  }

  override async openWriter(block: BlockId, access?: ReplicaAccess): Promise<BlockWriter> {
    const sign = await this.signer()
    return new SigningWriter(await this.inner.openWriter(block, access), sign)
  }

  private async signer(): Promise<Sign> {
    const { keys } = this.vouching
    const first = keys.signing ?? (await keys.ready())
    // A stream may last for longer than its first key signs; that is still believed then.
    return (receipt, kind) =>
      signed(receipt, { kind, datanode: this.id, vouching: this.vouching, key: keys.signing ?? first })
  }
}

class SigningWriter implements BlockWriter {
  readonly block: BlockId
  private readonly inner: BlockWriter
  private readonly sign: Sign

  constructor(inner: BlockWriter, sign: Sign) {
    this.block = inner.block
    this.inner = inner
    this.sign = sign
  }

  write(pieces: readonly Uint8Array[], known?: KnownChecksums): Promise<void> {
    return this.inner.write(pieces, known)
  }

  async commit(): Promise<BlockReceipt> {
    return this.sign(await this.inner.commit(), 'stored')
  }

  abort(): Promise<void> {
    return this.inner.abort()
  }
}

interface Signing {
  readonly kind: ProofKind
  readonly datanode: DatanodeId
  readonly vouching: Vouching
  readonly key: SecretKey
}

function signed(receipt: BlockReceipt, { kind, datanode, vouching, key }: Signing): BlockReceipt {
  const { block, lengthBytes, checksum } = receipt
  return { ...receipt, proofs: [vouching.proof({ block, lengthBytes }, { kind, datanode, checksum }, key)] }
}
