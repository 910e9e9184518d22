/** Texts of elements as the values they stand for. */

/** An ETag as the store has it: documents carry it in quotes, some clients leave them out. */
export function unquoted(etag: string): string {
  return etag.length >= 2 && etag.startsWith('"') && etag.endsWith('"') ? etag.slice(1, -1) : etag
}
