/**
 * RFC 2047 encoded words: how user metadata beyond ASCII travels. S3 decodes them before it stores a value, and answers
 * every value that is not printable ASCII as one ("user-defined object metadata", Amazon S3 User Guide).
 */

/** Encoded words of UTF-8 and of ISO-8859-1 decoded, in place; anything else, broken words too, stays as it is. */
export function decodeWords(value: string): string {
  if (!value.includes('=?')) return value
  // White space between two encoded words is how a long text was cut, and no part of it (RFC 2047 §6.2).
  return value
    .replace(betweenWords, '?=')
    .replace(
      word,
      (whole, charset: string, encoding: string, text: string) => decodeWord(charset, encoding, text) ?? whole,
    )
}

/** The value itself where it is printable ASCII and would be read back as it is; else encoded words. */
export function encodeWords(text: string): string {
  if (plain.test(text) && !text.includes('=?') && text.trim() === text) return text
  const words: string[] = []
  for (const piece of pieces(text)) words.push(`=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`)
  return words.join(' ')
}

const plain = /^[\x20-\x7e]*$/
const word = /=\?([\w-]+)\?([bBqQ])\?([\x21-\x3e\x40-\x7e]*)\?=/g
const betweenWords = /\?=[ \t]+(?==\?[\w-]+\?[bBqQ]\?[\x21-\x3e\x40-\x7e]*\?=)/g

/** A word has 75 characters at most (RFC 2047 §2): 45 bytes of text, never cut within a character. */
const maxPieceBytes = 45

function pieces(text: string): string[] {
  const out: string[] = []
  let piece = ''
  let bytes = 0
  for (const character of text) {
    const size = Buffer.byteLength(character)
    if (bytes + size > maxPieceBytes) {
      out.push(piece)
      piece = ''
      bytes = 0
    }
    piece += character
    bytes += size
  }
  if (piece !== '') out.push(piece)
  return out
}

function decodeWord(charset: string, encoding: string, text: string): string | undefined {
  const bytes = encoding === 'b' || encoding === 'B' ? Buffer.from(text, 'base64') : fromQuotedPrintable(text)
  switch (charset.toLowerCase()) {
    case 'utf-8':
    case 'us-ascii': {
      const decoded = bytes.toString('utf8')
      return decoded.includes('\ufffd') ? undefined : decoded
    }
    case 'iso-8859-1':
      return bytes.toString('latin1')
    default:
      return undefined
  }
}

/** The "Q" encoding (RFC 2047 §4.2). */
function fromQuotedPrintable(text: string): Buffer {
  const binary = text
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(binary, 'latin1')
}
