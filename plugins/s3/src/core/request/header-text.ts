/** Header values are bytes, one character for each; these turn them into text and back. */

import { decodePercent } from './percent.ts'

/** Bytes (characters 0–255) that are valid UTF-8 as text; others stay as they are (ISO-8859-1). */
export function textOfHeader(value: string): string {
  if (!beyondAscii.test(value)) return value
  return decodePercent(value.replace(everyByteToEscape, escapeByte)) ?? value
}

/**
 * Text as bytes that may stand in a header: UTF-8. Undefined when a header cannot hold it: control characters (CR and
 * LF would start another header), and halves of surrogate pairs.
 */
export function headerOfText(text: string): string | undefined {
  if (controls.test(text)) return undefined
  if (!beyondAscii.test(text)) return text
  try {
    return encodeURIComponent(text).replace(everyEscape, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

const metadataPrefix = 'x-amz-meta-'

/** Headers `x-amz-meta-*` as name → text, without the prefix. */
export function userMetadata(headers: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const entries: [string, string][] = []
  for (const [name, value] of headers) {
    if (name.startsWith(metadataPrefix)) entries.push([name.slice(metadataPrefix.length), textOfHeader(value)])
  }
  // fromEntries defines properties, so that a name such as `__proto__` is only a name.
  return Object.fromEntries(entries)
}

const beyondAscii = /[^\x20-\x7e\t]/
const everyByteToEscape = /[%\x80-\xff]/g
const everyEscape = /%([0-9A-F]{2})/g
// oxlint-disable-next-line no-control-regex -- they are what it is about
const controls = /[\x00-\x08\x0a-\x1f\x7f]/

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}
