/** What generated access keys look like. */

// Without 0, 1, 8 and 9, which people take for letters; 32 of them, so that five bits choose one without bias.
const idLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const secretLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Random bytes that `accessKeyIdFrom` wants. */
export const accessKeyIdBytes = 18
/** Random bytes that `secretFrom` wants: 240 bits, like AWS's secrets, and 40 characters, which some clients check. */
export const secretBytes = 40

/** 20 characters: `O3` and 90 random bits. */
export function accessKeyIdFrom(random: Uint8Array): string {
  return `O3${letters(random, idLetters)}`
}

/** 40 characters that need no quoting in a shell, a URL or a configuration file. */
export function secretFrom(random: Uint8Array): string {
  return letters(random, secretLetters)
}

function letters(random: Uint8Array, alphabet: string): string {
  let out = ''
  for (const byte of random) out += alphabet.charAt(byte % alphabet.length)
  return out
}
