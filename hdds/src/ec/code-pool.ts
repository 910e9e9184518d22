/** Erasure coding on another core: a stripe of 10 MiB takes 20 ms, which is too long for the event loop. */

import { Piscina } from 'piscina'
import { WasmErasureCode } from './erasure-code.ts'
import type { CodeShape, ErasureCode, Holes } from './erasure-code.ts'

/** `holes`: to be filled; without them the parity is. */
export interface CodeTask {
  readonly stripe: Uint8Array
  readonly shape: CodeShape
  readonly holes: Holes | undefined
}

/** Less costs no more than to wake a thread. */
const worthAThreadBytes = 256 * 1024

/** One thread, started with the first large stripe. What waits for it is bounded by its callers: two stripes each. */
export function openCodePool(): ErasureCode {
  return new PooledErasureCode()
}

class PooledErasureCode implements ErasureCode {
  private readonly here = new WasmErasureCode()
  private pool: Piscina<CodeTask, undefined> | undefined

  async encode(stripe: Uint8Array, shape: CodeShape): Promise<void> {
    if (isSmall(stripe)) return await this.here.encode(stripe, shape)
    await this.workers().run({ stripe, shape, holes: undefined })
  }

  async reconstruct(stripe: Uint8Array, shape: CodeShape, holes: Holes): Promise<void> {
    if (isSmall(stripe)) return await this.here.reconstruct(stripe, shape, holes)
    await this.workers().run({ stripe, shape, holes })
  }

  async close(): Promise<void> {
    await this.pool?.close({ force: true })
  }

  private workers(): Piscina<CodeTask, undefined> {
    this.pool ??= new Piscina<CodeTask, undefined>({
      filename: new URL('./code-worker.ts', import.meta.url).href,
      name: 'code',
      minThreads: 1,
      maxThreads: 1,
    })
    return this.pool
  }
}

/** Memory of this thread only cannot be filled by another one. */
function isSmall(stripe: Uint8Array): boolean {
  return stripe.length < worthAThreadBytes || !(stripe.buffer instanceof SharedArrayBuffer)
}
