/** Digests of bytes that are stored already, for a copy that is asked for another checksum. */

import type { ChunkPool } from '@o3/common/digest/chunks'
import type { DigestPool } from '@o3/common/digest/pool'
import type { DigestAlgorithm, Digests, KeyBody } from '../api/api.ts'
import { ChunkPipeline } from './chunk-pipeline.ts'
import { onePiece, PieceReader } from './piece-reader.ts'

/** Reads the body once, to its end, two chunks at a time. */
export async function digestBody(
  body: KeyBody,
  algorithms: readonly DigestAlgorithm[],
  through: { readonly chunks: ChunkPool; readonly digests: DigestPool },
): Promise<Digests> {
  const pieces = new PieceReader(body.bytes instanceof Uint8Array ? onePiece(body.bytes) : body.bytes, undefined)
  const chunks = new ChunkPipeline(through.chunks, through.digests.open(algorithms, { sizeBytes: body.length }))
  try {
    while (!pieces.isAtEnd) {
      const length = await pieces.fill(await chunks.take(), through.chunks)
      await chunks.submit(length, nowhere)
    }
    return await chunks.finish()
  } finally {
    pieces.close()
    await chunks.close()
  }
}

async function nowhere(): Promise<void> {}
