/** The listings: of buckets, objects, uploads and parts. Built as text: 1,000 rows in well under a millisecond. */

export interface OwnerRow {
  readonly id: string
  readonly displayName: string
}

export interface BucketRow {
  readonly name: string
  readonly createdMs: number
  readonly region?: string
}

export interface ListBucketsDocument {
  readonly owner: OwnerRow
  readonly buckets: readonly BucketRow[]
  readonly prefix?: string
  readonly continuationToken?: string
}

export interface ObjectRow {
  readonly key: string
  readonly modifiedMs: number
  /** Without quotes. */
  readonly etag: string
  readonly size: number
  /** `CRC32` …, and `FULL_OBJECT` or `COMPOSITE`. */
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
  readonly owner?: OwnerRow
}

interface ListObjectsCommon {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly maxKeys: number
  readonly encoding: 'url' | 'none'
  readonly truncated: boolean
  readonly objects: readonly ObjectRow[]
  readonly commonPrefixes: readonly string[]
}

export interface ListObjectsDocument extends ListObjectsCommon {
  readonly marker: string
  readonly nextMarker?: string
}

export interface ListObjectsV2Document extends ListObjectsCommon {
  readonly startAfter?: string
  readonly continuationToken?: string
  readonly nextContinuationToken?: string
}

export interface UploadRow {
  readonly key: string
  readonly uploadId: string
  readonly initiatedMs: number
  readonly owner: OwnerRow
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
}

export interface ListUploadsDocument {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly keyMarker: string
  readonly uploadIdMarker: string
  readonly nextKeyMarker?: string
  readonly nextUploadIdMarker?: string
  readonly maxUploads: number
  readonly encoding: 'url' | 'none'
  readonly truncated: boolean
  readonly uploads: readonly UploadRow[]
  readonly commonPrefixes: readonly string[]
}

export interface PartRow {
  readonly number: number
  readonly modifiedMs: number
  /** Without quotes. */
  readonly etag: string
  readonly size: number
  /** `ChecksumCRC32` … and its value. */
  readonly checksum?: { readonly element: string; readonly value: string }
}

export interface ListPartsDocument {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  readonly owner: OwnerRow
  readonly partNumberMarker: number
  readonly nextPartNumberMarker?: number
  readonly maxParts: number
  readonly encoding: 'url' | 'none'
  readonly truncated: boolean
  readonly parts: readonly PartRow[]
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
}

export declare function listBucketsDocument(list: ListBucketsDocument): string
export declare function listObjectsDocument(list: ListObjectsDocument): string
export declare function listObjectsV2Document(list: ListObjectsV2Document): string
export declare function listUploadsDocument(list: ListUploadsDocument): string
export declare function listPartsDocument(list: ListPartsDocument): string
