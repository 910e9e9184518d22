/** Random numbers of which a run says the seed. What processes do with them is up to the machine. */

import { createHash } from 'node:crypto'

export class Dice {
  private state: number

  constructor(seed: string) {
    this.state = createHash('sha256').update(seed).digest().readUInt32LE()
  }

  /** From 0 to 1, without 1 (mulberry32). */
  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  between(least: number, most: number): number {
    return least + this.fraction() * (most - least)
  }

  below(count: number): number {
    return Math.floor(this.fraction() * count)
  }

  /** Undefined of nothing. */
  pick<T>(choices: readonly T[]): T | undefined {
    return choices[this.below(choices.length)]
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }
}
