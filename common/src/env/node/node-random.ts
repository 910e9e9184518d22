import { randomFillSync, randomUUID } from 'node:crypto'
import type { Random } from '../env.ts'

/** The operating system's randomness for `bytes` and `uuid`; V8's generator for `fraction`. */
export class NodeRandom implements Random {
  bytes(length: number): Uint8Array {
    return randomFillSync(new Uint8Array(length))
  }

  uuid(): string {
    return randomUUID()
  }

  fraction(): number {
    return Math.random()
  }
}
