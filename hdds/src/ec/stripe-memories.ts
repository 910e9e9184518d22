import { shardCount } from '../core/ec/ec-shape.ts'
import type { EcShape } from '../core/ec/ec-shape.ts'
import { stripeMemory } from './erasure-code.ts'

const maxIdle = 4
const smallestPooledBytes = 256 * 1024

/**
 * Memory for stripes that are decoded, used again: fresh memory costs a page fault every 4 KiB. At most four
 * stripes rest here; how many are out is bounded by the readers, two each.
 */
export class StripeMemories {
  private readonly idle: Uint8Array[] = []

  /** Of at least `rowBytes` for each cell, with whatever was in it. */
  take(shape: EcShape, rowBytes: number): Uint8Array {
    const bytes = shardCount(shape) * rowBytes
    if (bytes < smallestPooledBytes) return stripeMemory(shape, rowBytes)
    const wholeBytes = shardCount(shape) * shape.cellBytes
    const at = this.idle.findIndex(({ length }) => length === wholeBytes)
    // Whole stripes only, so that any of a code fits: the system gives a page when it is touched.
    const [memory = stripeMemory(shape, shape.cellBytes)] = at < 0 ? [] : this.idle.splice(at, 1)
    return memory.subarray(0, bytes)
  }

  /** What `take` returned. Nobody may look at it any more. */
  give(memory: Uint8Array): void {
    if (memory.length < smallestPooledBytes) return
    this.idle.push(new Uint8Array(memory.buffer))
    if (this.idle.length > maxIdle) this.idle.shift()
  }
}
