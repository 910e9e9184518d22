import { maxChunkBytes } from '../api/api.ts'
import { maxHeaderBytes } from '../core/record-layout.ts'
import { firstDamagedUnit } from './checksum.ts'
import type { UnitVerifier, VerifyTask } from './verify-pool.ts'

const bufferBytes = maxHeaderBytes + maxChunkBytes
const smallestPooledBytes = 256 * 1024

/** What a read needs besides its file. */
export interface ReadMemory {
  take(bytes: number): Uint8Array
  give(buffer: Uint8Array): void
  /** The first unit that does not match its checksum; undefined when all do. Large ones are proven elsewhere. */
  prove(task: VerifyTask): number | undefined | Promise<number | undefined>
}

/**
 * Memory for reads. Large buffers are used again: a fresh MiB costs the kernel 256 page faults. At most `maxIdle` of
 * them rest here; how many are out is bounded by the readers, three each.
 */
export class ReadBuffers implements ReadMemory {
  private readonly idle: Uint8Array[] = []
  private readonly maxIdle: number
  private readonly verifier: UnitVerifier | undefined
  private lent = 0

  /** Without a verifier everything is proven at once, in this thread. */
  constructor(maxIdle: number, verifier?: UnitVerifier) {
    this.maxIdle = maxIdle
    this.verifier = verifier
  }

  /** Exactly `bytes` long, its content undefined; `bytes` is at most a record of a full chunk. */
  take(bytes: number): Uint8Array {
    if (bytes < smallestPooledBytes) return uninitialised(bytes)
    this.lent++
    return (this.idle.pop() ?? shared(bufferBytes)).subarray(0, bytes)
  }

  /** Gives back what `take` returned. Nobody may look at it any more. */
  give(buffer: Uint8Array): void {
    if (buffer.length < smallestPooledBytes) return
    this.lent--
    if (this.idle.length < this.maxIdle) this.idle.push(new Uint8Array(buffer.buffer, buffer.byteOffset, bufferBytes))
  }

  prove(task: VerifyTask): number | undefined | Promise<number | undefined> {
    if (this.verifier === undefined || task.units.length < smallestPooledBytes) return proveHere(task)
    return this.verifier.verify(task).then((unit) => (unit < 0 ? undefined : unit))
  }

  get lentBuffers(): number {
    return this.lent
  }
}

/** Not zeroed first: a read fills it. A plain array, because the `slice` of a `Buffer` is a view where all others copy. */
export function uninitialised(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
}

/** Zeroed by the system, a page when it is first touched; other threads see it without a copy. */
function shared(bytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(bytes))
}

export function proveHere({ units, checksums, firstUnit }: VerifyTask): number | undefined {
  return firstDamagedUnit(units, checksums, firstUnit)
}
