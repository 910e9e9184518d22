/** What signed records have in common. Who computes HMACs is handed in: nothing here knows Node's crypto. */

/** HMAC-SHA256 of `message` under the key with this secret: at least `macBytes`. */
export type Mac = (secret: Uint8Array, message: Uint8Array) => Uint8Array

/** Of 32, so many are sent: 2^128 guesses are out of reach, and there is one online guess a call. */
export const macBytes = 16

/** Takes as long for a guess that is nearly right as for one that is wrong from the first byte. */
export function isSameMac(claimed: Uint8Array, computed: Uint8Array): boolean {
  if (claimed.length !== macBytes || computed.length < macBytes) return false
  let difference = 0
  for (let i = 0; i < macBytes; i++) difference |= (claimed[i] as number) ^ (computed[i] as number)
  return difference === 0
}
