/** Header values are bytes; these turn them into text and back. */

/** Bytes (characters 0–255) that are valid UTF-8 as text; others stay as they are (ISO-8859-1). */
export declare function textOfHeader(value: string): string
/** Text as bytes that may stand in a header: UTF-8, one character per byte. Undefined when it holds CR, LF or NUL. */
export declare function headerOfText(text: string): string | undefined
/** Headers `x-amz-meta-*` as name → text, without the prefix. */
export declare function userMetadata(headers: ReadonlyMap<string, string>): Readonly<Record<string, string>>
