/** Dates as headers carry them. */

/** RFC 9110 §5.6.7, the three forms; milliseconds since the epoch, undefined for anything else. */
export declare function parseHttpDate(value: string): number | undefined
/** `20130524T000000Z`. */
export declare function parseBasicDate(value: string): number | undefined
/** `2013-05-24T00:00:00[.000]Z`. */
export declare function parseIsoDate(value: string): number | undefined
/** IMF-fixdate, for `Last-Modified` and `Date`. */
export declare function formatHttpDate(ms: number): string
/** `2013-05-24T00:00:00.000Z`, cut to the second as S3 does. */
export declare function formatIsoDate(ms: number): string
/** `20130524T000000Z`. */
export declare function formatBasicDate(ms: number): string
