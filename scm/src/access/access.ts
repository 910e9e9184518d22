/**
 * Tokens and proofs for those who have SCM's secret keys: OM, which gives tokens and checks proofs, and datanodes, which do
 * the reverse.
 */

export { allBlocks, anyLength, readToken, tokenBytes } from '../core/block-token.ts'
export type { BlockDeed, BlockToken, TokenMode } from '../core/block-token.ts'
export { maxProofBytes, maxProofsPerBlock } from '../core/block-proof.ts'
export type { BlockProof, ProofKind, ProvenBlock } from '../core/block-proof.ts'
export { defaultTokenSkewMs, Vouching } from './vouching.ts'
export type { TokenGrant, VouchingOptions } from './vouching.ts'
export { KeyRing } from './key-ring.ts'
export type { KeyRingOptions } from './key-ring.ts'
