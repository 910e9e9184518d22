/** The key that a date, a region and a secret give, and what a chain of chunk signatures starts from. */

import type { KeyObject } from 'node:crypto'

export interface SigningContext {
  readonly key: KeyObject
  /** The request's own signature, lower-case hexadecimal: the first link of the chain. */
  readonly seedSignature: string
  /** `20130524T000000Z`. */
  readonly timestamp: string
  /** `20130524/us-east-1/s3/aws4_request`. */
  readonly scope: string
}
