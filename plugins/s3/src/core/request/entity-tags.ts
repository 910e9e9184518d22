/** `If-Match` and `If-None-Match` (RFC 9110 §13.1). */

/**
 * `*`, or the tags without quotes and without `W/`. Clients of S3 also send them bare. What is between tags is not
 * judged: a list that makes no sense matches nothing.
 */
export function parseEntityTags(value: string): readonly string[] | '*' {
  const text = value.trim()
  if (text === '*') return '*'
  const tags: string[] = []
  let at = 0
  while (at < text.length) {
    const start = skipSeparators(text, at)
    if (start === text.length) break
    const opening = text.startsWith('W/"', start) ? start + 2 : start
    if (text[opening] === '"') {
      const closing = text.indexOf('"', opening + 1)
      const end = closing < 0 ? text.length : closing
      tags.push(text.slice(opening + 1, end))
      at = end + 1
    } else {
      const comma = text.indexOf(',', start)
      const end = comma < 0 ? text.length : comma
      tags.push(text.slice(start, end).trimEnd())
      at = end
    }
  }
  return tags
}

function skipSeparators(text: string, from: number): number {
  let at = from
  while (at < text.length && (text[at] === ',' || text[at] === ' ' || text[at] === '\t')) at++
  return at
}
