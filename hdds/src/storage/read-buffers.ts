import { maxChunkBytes } from '../api/api.ts'
import { maxHeaderBytes } from '../core/record-layout.ts'

const bufferBytes = maxHeaderBytes + maxChunkBytes
const smallestPooledBytes = 256 * 1024

/**
 * Memory for reads. Large buffers are used again: a fresh MiB costs the kernel 256 page faults. At most `maxIdle` of
 * them rest here; how many are out is bounded by the readers, three each.
 */
export class ReadBuffers {
  private readonly idle: Uint8Array[] = []
  private readonly maxIdle: number
  private lent = 0

  constructor(maxIdle: number) {
    this.maxIdle = maxIdle
  }

  /** Exactly `bytes` long, its content undefined; `bytes` is at most a record of a full chunk. */
  take(bytes: number): Uint8Array {
    if (bytes < smallestPooledBytes) return uninitialised(bytes)
    this.lent++
    return (this.idle.pop() ?? uninitialised(bufferBytes)).subarray(0, bytes)
  }

  /** Gives back what `take` returned. Nobody may look at it any more. */
  give(buffer: Uint8Array): void {
    if (buffer.length < smallestPooledBytes) return
    this.lent--
    if (this.idle.length < this.maxIdle) this.idle.push(new Uint8Array(buffer.buffer, buffer.byteOffset, bufferBytes))
  }

  get lentBuffers(): number {
    return this.lent
  }
}

/** Not zeroed first: a read fills it. A plain array, because the `slice` of a `Buffer` is a view where all others copy. */
export function uninitialised(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
}
