/** The body of DeleteObjects. */

import type { S3Error } from '../core/errors/s3-error.ts'

export interface DeleteDocument {
  readonly quiet: boolean
  /** 1 to 1,000. */
  readonly objects: readonly DeleteEntry[]
}

export interface DeleteEntry {
  readonly key: string
  readonly versionId?: string
  /** Without quotes. */
  readonly etag?: string
  readonly lastModifiedTime?: string
  readonly size?: string
}

export const maxDeleteBytes = 2 * 1024 * 1024

export declare function readDelete(document: Uint8Array): DeleteDocument | S3Error
