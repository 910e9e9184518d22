/** What generated access keys look like. */

import type { Random } from '@o3/common/env'

export interface AccessKeyPair {
  /** 20 characters: `O3` and 90 random bits. */
  readonly id: string
  /** 40 characters, which some clients check, and 240 random bits. They need no quoting in a shell, a URL or a configuration file. */
  readonly secret: string
}

// Without 0, 1, 8 and 9, which people take for letters; 32 of them, so that five bits choose one without bias.
const idLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
// 64. No dash: a command line takes a secret that begins with one for a flag.
const secretLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._'

/** A pair that nobody has chosen. */
export function newAccessKey(random: Pick<Random, 'bytes'>): AccessKeyPair {
  return { id: `O3${letters(random.bytes(18), idLetters)}`, secret: letters(random.bytes(40), secretLetters) }
}

function letters(random: Uint8Array, alphabet: string): string {
  let out = ''
  for (const byte of random) out += alphabet.charAt(byte % alphabet.length)
  return out
}
