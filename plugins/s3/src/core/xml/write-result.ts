/** The other documents that operations answer. Every one starts with the XML declaration. */

/** `ChecksumCRC32` … and its value as shown (a composite one with `-N`). */
export interface ShownChecksum {
  readonly element: string
  readonly value: string
  /** `FULL_OBJECT` or `COMPOSITE`; left out where the document has no place for it. */
  readonly type?: string
}

export interface DeletedRow {
  readonly key: string
  readonly versionId?: string
}

export interface DeleteErrorRow {
  readonly key: string
  readonly versionId?: string
  readonly code: string
  readonly message: string
}

export interface ObjectAttributesDocument {
  readonly etag?: string
  readonly checksum?: ShownChecksum
  readonly parts?: {
    readonly total: number
    readonly partNumberMarker: number
    readonly nextPartNumberMarker?: number
    readonly maxParts: number
    readonly truncated: boolean
    /** Only where the parts carry checksums, as S3 does. */
    readonly rows: readonly { readonly number: number; readonly size: number; readonly checksum?: ShownChecksum }[]
  }
  readonly storageClass?: string
  readonly size?: number
}

/** Empty for us-east-1. */
export declare function locationDocument(region: string): string
export declare function initiateUploadDocument(result: {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
}): string
export declare function completeUploadDocument(result: {
  readonly location: string
  readonly bucket: string
  readonly key: string
  readonly etag: string
  readonly checksum?: ShownChecksum
}): string
export declare function copyObjectDocument(result: {
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: ShownChecksum
}): string
export declare function copyPartDocument(result: {
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: ShownChecksum
}): string
export declare function deleteDocument(deleted: readonly DeletedRow[], errors: readonly DeleteErrorRow[]): string
export declare function taggingDocument(tags: Readonly<Record<string, string>>): string
export declare function objectAttributesDocument(attributes: ObjectAttributesDocument): string
