/** Numbers as the wire carries them. */

/**
 * Decimal digits and nothing else (no sign, space, exponent or fraction), up to `max`; undefined for anything else.
 * `max` must be a safe integer.
 */
export declare function parseDecimal(text: string, max?: number): number | undefined
