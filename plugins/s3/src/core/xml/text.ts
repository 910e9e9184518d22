/** XML as text: escaping, and the building blocks of documents. */

/** Text of an element. Round-trips through any XML parser, CR and (for lenient ones) control characters too. */
export declare function escapeText(text: string): string
/** `encoding-type=url`: UTF-8 percent-encoding that leaves RFC 3986's unreserved characters and `/`. */
export declare function encodeUrl(text: string): string
/** `<name>text</name>`, escaped. */
export declare function element(name: string, text: string): string
