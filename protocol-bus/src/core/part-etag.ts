/**
 * The ETag of a part that was copied by reference. No byte of it is read, so it cannot be the MD5 of the bytes; S3
 * promises no more than an opaque tag. It is 32 hexadecimal digits, because the ETag of the whole upload is computed from
 * the 16 bytes of each part's, and a function of what was copied, so that a retry gets the same.
 */

const simpleEtag = /^[0-9a-f]{32}$/

/** `md5` of a text, in lower-case hexadecimal. A simple key copied whole keeps its ETag: there it is the MD5. */
export function copiedPartEtag(
  source: { readonly etag: string; readonly size: number },
  range: { readonly start: number; readonly end: number },
  md5: (text: string) => string,
): string {
  const whole = range.start === 0 && range.end === source.size
  if (whole && simpleEtag.test(source.etag)) return source.etag
  return md5(`${source.etag}:${range.start}-${range.end}`)
}
