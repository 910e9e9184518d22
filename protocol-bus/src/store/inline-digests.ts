/** Hashing on the loop, for where there are no workers: tests, and a single core. */

import { createDigests } from '@o3/common/digest/node'
import type { ChunkDigests } from './digest-port.ts'

export interface InlineDigestsOptions {
  /** Default 1 MiB. */
  readonly chunkBytes?: number
  /** All uploads together; default 128. */
  readonly maxChunks?: number
}

export function inlineDigests(options: InlineDigestsOptions = {}): ChunkDigests {
  const { chunkBytes = 1024 * 1024, maxChunks = 128 } = options
  const free: Uint8Array[] = []
  const waiting: ((chunk: Uint8Array) => void)[] = []
  let made = 0
  return {
    chunkBytes,
    takeChunk() {
      const chunk = free.pop()
      if (chunk !== undefined) return chunk
      if (made < maxChunks) {
        made++
        return new Uint8Array(chunkBytes)
      }
      return new Promise((resolve) => {
        waiting.push(resolve)
      })
    },
    returnChunk(chunk) {
      const next = waiting.shift()
      if (next === undefined) free.push(chunk)
      else next(chunk)
    },
    open(algorithms) {
      const digests = createDigests(algorithms)
      return {
        update: (bytes) => digests.update(bytes),
        finish: () => digests.finish(),
        abort: () => undefined,
      }
    },
  }
}
