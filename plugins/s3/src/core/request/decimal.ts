/** Numbers as the wire carries them. */

/**
 * Decimal digits and nothing else (no sign, space, exponent or fraction), up to `max`; undefined for anything else.
 * `max` must be a safe integer.
 */
export function parseDecimal(text: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
  // 16 digits reach past the largest safe integer, and stay exact enough to be seen as too large.
  if (text.length === 0 || text.length > 16) return undefined
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value <= max ? value : undefined
}
