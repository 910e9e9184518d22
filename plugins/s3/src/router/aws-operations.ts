/**
 * The operations of Amazon S3 that this front end does not have. They are listed so that a request for one is known as
 * such: a sub-resource that a server has never heard of would be taken for the operation without it, and
 * `PUT /bucket/key?renameObject` would empty the object.
 *
 * From the service model of S3 as of 2026; `append` is Ceph's and Aliyun's, and the same trap.
 */

import type { Level, Method, OperationAddress } from '../operations/operation.ts'

type Row = readonly [method: Method, name: string, ...query: string[]]

const bucketRows: readonly Row[] = [
  ['GET', 'CreateSession', 'session'],
  ['POST', 'PostObject'],
  ['GET', 'GetBucketAbac', 'abac'],
  ['PUT', 'PutBucketAbac', 'abac'],
  ['GET', 'GetBucketAccelerateConfiguration', 'accelerate'],
  ['PUT', 'PutBucketAccelerateConfiguration', 'accelerate'],
  ['GET', 'GetBucketAcl', 'acl'],
  ['PUT', 'PutBucketAcl', 'acl'],
  ['GET', 'ListBucketAnalyticsConfigurations', 'analytics'],
  ['GET', 'GetBucketAnalyticsConfiguration', 'analytics', 'id'],
  ['PUT', 'PutBucketAnalyticsConfiguration', 'analytics'],
  ['DELETE', 'DeleteBucketAnalyticsConfiguration', 'analytics'],
  ['GET', 'GetBucketCors', 'cors'],
  ['PUT', 'PutBucketCors', 'cors'],
  ['DELETE', 'DeleteBucketCors', 'cors'],
  ['GET', 'GetBucketEncryption', 'encryption'],
  ['PUT', 'PutBucketEncryption', 'encryption'],
  ['DELETE', 'DeleteBucketEncryption', 'encryption'],
  ['GET', 'ListBucketIntelligentTieringConfigurations', 'intelligent-tiering'],
  ['GET', 'GetBucketIntelligentTieringConfiguration', 'intelligent-tiering', 'id'],
  ['PUT', 'PutBucketIntelligentTieringConfiguration', 'intelligent-tiering'],
  ['DELETE', 'DeleteBucketIntelligentTieringConfiguration', 'intelligent-tiering'],
  ['GET', 'ListBucketInventoryConfigurations', 'inventory'],
  ['GET', 'GetBucketInventoryConfiguration', 'inventory', 'id'],
  ['PUT', 'PutBucketInventoryConfiguration', 'inventory'],
  ['DELETE', 'DeleteBucketInventoryConfiguration', 'inventory'],
  ['GET', 'GetBucketLifecycleConfiguration', 'lifecycle'],
  ['PUT', 'PutBucketLifecycleConfiguration', 'lifecycle'],
  ['DELETE', 'DeleteBucketLifecycle', 'lifecycle'],
  ['GET', 'GetBucketLogging', 'logging'],
  ['PUT', 'PutBucketLogging', 'logging'],
  ['GET', 'GetBucketMetadataConfiguration', 'metadataConfiguration'],
  ['POST', 'CreateBucketMetadataConfiguration', 'metadataConfiguration'],
  ['DELETE', 'DeleteBucketMetadataConfiguration', 'metadataConfiguration'],
  ['PUT', 'UpdateBucketMetadataAnnotationTableConfiguration', 'metadataAnnotationTable'],
  ['PUT', 'UpdateBucketMetadataInventoryTableConfiguration', 'metadataInventoryTable'],
  ['PUT', 'UpdateBucketMetadataJournalTableConfiguration', 'metadataJournalTable'],
  ['GET', 'GetBucketMetadataTableConfiguration', 'metadataTable'],
  ['POST', 'CreateBucketMetadataTableConfiguration', 'metadataTable'],
  ['DELETE', 'DeleteBucketMetadataTableConfiguration', 'metadataTable'],
  ['GET', 'ListBucketMetricsConfigurations', 'metrics'],
  ['GET', 'GetBucketMetricsConfiguration', 'metrics', 'id'],
  ['PUT', 'PutBucketMetricsConfiguration', 'metrics'],
  ['DELETE', 'DeleteBucketMetricsConfiguration', 'metrics'],
  ['GET', 'GetBucketNotificationConfiguration', 'notification'],
  ['PUT', 'PutBucketNotificationConfiguration', 'notification'],
  ['GET', 'GetObjectLockConfiguration', 'object-lock'],
  ['PUT', 'PutObjectLockConfiguration', 'object-lock'],
  ['GET', 'GetBucketOwnershipControls', 'ownershipControls'],
  ['PUT', 'PutBucketOwnershipControls', 'ownershipControls'],
  ['DELETE', 'DeleteBucketOwnershipControls', 'ownershipControls'],
  ['GET', 'GetBucketPolicy', 'policy'],
  ['PUT', 'PutBucketPolicy', 'policy'],
  ['DELETE', 'DeleteBucketPolicy', 'policy'],
  ['GET', 'GetBucketPolicyStatus', 'policyStatus'],
  ['GET', 'GetPublicAccessBlock', 'publicAccessBlock'],
  ['PUT', 'PutPublicAccessBlock', 'publicAccessBlock'],
  ['DELETE', 'DeletePublicAccessBlock', 'publicAccessBlock'],
  ['GET', 'GetBucketReplication', 'replication'],
  ['PUT', 'PutBucketReplication', 'replication'],
  ['DELETE', 'DeleteBucketReplication', 'replication'],
  ['GET', 'GetBucketRequestPayment', 'requestPayment'],
  ['PUT', 'PutBucketRequestPayment', 'requestPayment'],
  ['PUT', 'PutBucketVersioning', 'versioning'],
  ['GET', 'GetBucketWebsite', 'website'],
  ['PUT', 'PutBucketWebsite', 'website'],
  ['DELETE', 'DeleteBucketWebsite', 'website'],
]

const objectRows: readonly Row[] = [
  ['GET', 'GetObjectAcl', 'acl'],
  ['PUT', 'PutObjectAcl', 'acl'],
  ['GET', 'ListObjectAnnotations', 'annotation'],
  ['GET', 'GetObjectAnnotation', 'annotation', 'annotationName'],
  ['PUT', 'PutObjectAnnotation', 'annotation'],
  ['DELETE', 'DeleteObjectAnnotation', 'annotation'],
  ['PUT', 'AppendObject', 'append'],
  ['POST', 'AppendObject', 'append'],
  ['PUT', 'UpdateObjectEncryption', 'encryption'],
  ['GET', 'GetObjectLegalHold', 'legal-hold'],
  ['PUT', 'PutObjectLegalHold', 'legal-hold'],
  ['PUT', 'RenameObject', 'renameObject'],
  ['POST', 'RestoreObject', 'restore'],
  ['GET', 'GetObjectRetention', 'retention'],
  ['PUT', 'PutObjectRetention', 'retention'],
  ['POST', 'SelectObjectContent', 'select'],
  ['GET', 'GetObjectTorrent', 'torrent'],
]

/** Known, and answered 501. */
export const absentOperations: readonly OperationAddress[] = [
  { name: 'ListDirectoryBuckets', method: 'GET', level: 'service', query: ['max-directory-buckets'] },
  {
    name: 'WriteGetObjectResponse',
    method: 'POST',
    level: 'bucket',
    query: [],
    header: 'x-amz-request-route',
  },
  ...addressed('bucket', bucketRows),
  ...addressed('object', objectRows),
]

function addressed(level: Level, rows: readonly Row[]): OperationAddress[] {
  return rows.map(([method, name, ...query]) => ({ name, method, level, query }))
}
