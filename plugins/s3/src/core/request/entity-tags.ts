/** `If-Match` and `If-None-Match`. */

/** `*`, or the tags without quotes and without `W/`; S3's clients send them with or without quotes. */
export declare function parseEntityTags(value: string): readonly string[] | '*'
