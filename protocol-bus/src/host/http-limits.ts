/** The bounds of an HTTP listener, and what happens at each. */

export interface HttpLimits {
  /** Connections beyond it are closed as they come. */
  readonly maxConnections: number
  /** Requests under way beyond it are refused: 503. */
  readonly maxRequests: number
  /** Of one request's head: 431. */
  readonly maxHeaderBytes: number
  /** From the first byte to the end of the head: 408. */
  readonly headersTimeoutMs: number
  /** Between two requests of a connection; then it is closed. */
  readonly keepAliveMs: number
  /**
   * How long a body may stand still while it is the client's turn (`IncompleteBody`), and a response while it does not
   * read (cut). There is no limit on how long a whole request takes: an upload of days is one.
   */
  readonly stallMs: number
  /** Less than this in `stallMs` counts as standing still, so that a byte a minute holds nothing for ever. */
  readonly stallBytes: number
  /** Of a body that nobody wanted: dropped up to here so that the client reads the answer, then cut. */
  readonly lingerBytes: number
  readonly lingerMs: number
}

export const defaultHttpLimits: HttpLimits = {
  maxConnections: 8000,
  maxRequests: 4000,
  maxHeaderBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  keepAliveMs: 75_000,
  stallMs: 60_000,
  stallBytes: 4096,
  lingerBytes: 16 * 1024 * 1024,
  lingerMs: 5_000,
}
