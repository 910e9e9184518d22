/** `Content-Encoding` as it is stored. */

/**
 * Without `aws-chunked`, which is how the body came and not what it is; undefined when nothing is left. The other
 * codings keep their order and their spelling.
 */
export function storedContentEncoding(value: string | undefined): string | undefined {
  if (value === undefined || !/aws-chunked/i.test(value)) return value === '' ? undefined : value
  const kept = value.split(',').map((coding) => coding.trim())
  const text = kept.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked').join(',')
  return text === '' ? undefined : text
}
