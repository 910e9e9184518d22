import type { Random } from '@o3/common/env'
import type { Stamp } from '../api/api.ts'

const nonceBytes = 16
const poolBytes = 256 * nonceBytes

/**
 * Where stamps come from. `sequence` counts on from the last one that the log remembers: every entry records the highest
 * sequence given out so far, the checkpoint keeps it when the entry is cut away, and a start takes the maximum of both.
 * A number that was drawn by a plan whose entry never reached the log may be drawn again after a restart; nobody has seen
 * it, since what is not in the log was not answered. (The log index alone would do too, but would spend the 2^53 numbers
 * on positions that no entry uses.)
 */
export class Stamps {
  lastSequence: number
  private readonly random: Random
  private pool: Uint8Array = new Uint8Array(0)

  constructor(random: Random, lastSequence: number) {
    this.random = random
    this.lastSequence = lastSequence
  }

  next(wallMs: number): Stamp {
    return new DrawnStamp(wallMs, ++this.lastSequence, this)
  }

  /** 32 hex digits. Drawn from a pool: one call to the generator serves many stamps. */
  nonce(): string {
    if (this.pool.length < nonceBytes) this.pool = this.random.bytes(poolBytes)
    const bytes = this.pool.subarray(0, nonceBytes)
    this.pool = this.pool.subarray(nonceBytes)
    return Buffer.from(bytes.buffer, bytes.byteOffset, nonceBytes).toString('hex')
  }
}

/** Most plans never look at their nonce: it is drawn when first asked for. */
class DrawnStamp implements Stamp {
  readonly wallMs: number
  readonly sequence: number
  private readonly stamps: Stamps
  private drawn: string | undefined

  constructor(wallMs: number, sequence: number, stamps: Stamps) {
    this.wallMs = wallMs
    this.sequence = sequence
    this.stamps = stamps
  }

  get nonce(): string {
    this.drawn ??= this.stamps.nonce()
    return this.drawn
  }
}
