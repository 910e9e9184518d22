/** Numbers that are none, ranges, names, sub-resources and headers that mean something that O3 has not. */

import { get, put, send } from '../harness/requests.ts'
import type { Server } from '../harness/server.ts'
import { badCounts } from './bad-documents.ts'
import type { Stage } from './bad-documents.ts'
import type { Attack } from './bad-input.ts'

const escaped = (text: string): string => encodeURIComponent(text)

export function badNumbers(server: Server, { bucket, good, upload }: Stage): readonly Attack[] {
  const uploadQuery = `uploadId=${upload.id}`
  const places: readonly (readonly [name: string, target: (count: string) => string])[] = [
    ['max-keys', (count) => `/${bucket}?max-keys=${count}`],
    ['max-keys, version 2', (count) => `/${bucket}?list-type=2&max-keys=${count}`],
    ['max-keys, versions', (count) => `/${bucket}?max-keys=${count}&versions`],
    ['max-uploads', (count) => `/${bucket}?max-uploads=${count}&uploads`],
    ['max-buckets', (count) => `/?max-buckets=${count}`],
    ['max-parts', (count) => `/${bucket}/${upload.key}?max-parts=${count}&${uploadQuery}`],
    ['part-number-marker', (count) => `/${bucket}/${upload.key}?part-number-marker=${count}&${uploadQuery}`],
    ['partNumber of a GET', (count) => `/${bucket}/${good}?partNumber=${count}`],
  ]
  const counts = [...badCounts, ' 5', '5 ', '５']
  return [
    ...places.flatMap(([name, target]) =>
      counts.map((count) => ({
        name: `${name}=${JSON.stringify(count)}`,
        verdict: '400 InvalidArgument',
        act: () => get(server, target(escaped(count))),
      })),
    ),
    ...[...counts, '0', '10001', ''].map((count) => ({
      name: `UploadPart ${JSON.stringify(count)}`,
      verdict: '400 InvalidArgument',
      act: () => put(server, `/${bucket}/${upload.key}?partNumber=${escaped(count)}&${uploadQuery}`, 'x'),
    })),
    ...['bytes=1e3-2', 'bytes=0-9223372036854775808', 'bytes=5-2', 'bytes=0-', '0-1'].map((range) => ({
      name: `x-amz-copy-source-range: ${range}`,
      verdict: '400 InvalidArgument|416 InvalidRange',
      act: () =>
        send(server, {
          method: 'PUT',
          target: `/${bucket}/${upload.key}?partNumber=2&${uploadQuery}`,
          headers: [
            ['x-amz-copy-source', `/${bucket}/${good}`],
            ['x-amz-copy-source-range', range],
          ],
        }),
    })),
    ...['bytes=10000-', 'bytes=18446744073709551616-', 'bytes=-0', 'bytes=99999-100000'].map((range) => ({
      name: `Range: ${range}`,
      verdict: '416 InvalidRange',
      act: () => get(server, `/${bucket}/${good}`, [['range', range]]),
    })),
    {
      name: 'a part that is not there',
      verdict: '416 InvalidPartNumber',
      act: () => get(server, `/${bucket}/${good}?partNumber=2`),
    },
    {
      name: 'a continuation token that is none',
      verdict: '400 InvalidArgument',
      act: () => get(server, `/${bucket}?continuation-token=x&list-type=2`),
    },
    {
      name: 'an encoding that is none',
      verdict: '400 InvalidArgument',
      act: () => get(server, `/${bucket}?encoding-type=gzip`),
    },
  ]
}

export function badNames(server: Server, { bucket, good }: Stage): readonly Attack[] {
  const buckets = [
    'A',
    'ab',
    'a..b',
    '192.168.0.1',
    'x'.repeat(64),
    'under_score',
    '-dash',
    'dash-',
    'a b',
    '..',
    'ä'.repeat(3),
  ]
  const targets = [
    `/${bucket}/%zz`,
    `/${bucket}/%ff%fe`,
    `/${bucket}/%e0%80%80`,
    `/${bucket}/%ed%a0%80`,
    `/${bucket}/%`,
  ]
  const sources = ['', '/', bucket, `/${bucket}`, `/${bucket}/`, 'http://evil/x', `/${bucket}/%zz`]
  return [
    ...buckets.map((name) => ({
      name: `the bucket ${JSON.stringify(name.slice(0, 20))}`,
      verdict: '400 InvalidBucketName',
      act: () => send(server, { method: 'PUT', target: `/${escaped(name)}` }),
    })),
    ...targets.map((target) => ({
      name: `the target ${target}`,
      verdict: '400 InvalidURI',
      act: () => put(server, target, 'x'),
    })),
    ...sources.map((source) => ({
      name: `the copy source ${JSON.stringify(source)}`,
      verdict: '400 InvalidArgument|404 NoSuchBucket',
      act: () => send(server, { method: 'PUT', target: `/${bucket}/never`, headers: [['x-amz-copy-source', source]] }),
    })),
    {
      name: 'a copy of what is not there',
      verdict: '404 NoSuchKey',
      act: () =>
        send(server, {
          method: 'PUT',
          target: `/${bucket}/never`,
          headers: [['x-amz-copy-source', `/${bucket}/nothing`]],
        }),
    },
    {
      name: 'a parameter twice',
      verdict: '400 InvalidArgument',
      act: () => get(server, `/${bucket}?prefix=a&prefix=b`),
    },
    {
      name: 'a key in a bucket that is not there',
      verdict: '404 NoSuchBucket',
      act: () => put(server, `/no-such-bucket/${good}`, 'x'),
    },
  ]
}

/** Requests whose plain form would be obeyed: taken for it, they would delete, create or empty something. */
export function subResources(server: Server, { bucket, good, hollow }: Stage): readonly Attack[] {
  const verdict = '501 NotImplemented|405 MethodNotAllowed|400 InvalidRequest'
  const ofBuckets =
    'abac accelerate acl analytics cors encryption intelligent-tiering inventory lifecycle logging metadataConfiguration metadataInventoryTable metadataJournalTable metadataTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock replication requestPayment session website versioning uploads versions location delete'
  const ofObjects =
    'acl annotation append attributes encryption legal-hold renameObject restore retention select torrent uploads'
  const every = (names: string, method: string, target: string, body?: string): readonly Attack[] =>
    names.split(' ').map((name) => ({
      name: `${method} ${target}?${name}`,
      verdict,
      act: () => send(server, { method, target: `${target}?${name}`, ...(body === undefined ? {} : { body }) }),
    }))
  return [
    ...every(ofBuckets, 'DELETE', `/${hollow}`),
    ...every(ofBuckets, 'PUT', '/made-by-enemy', ''),
    ...every(ofObjects, 'PUT', `/${bucket}/${good}`, ''),
    ...every(ofObjects, 'PUT', `/${bucket}/never`, 'x'),
    ...every(ofObjects, 'DELETE', `/${bucket}/${good}`),
    ...every('acl annotation legal-hold retention torrent', 'GET', `/${bucket}/${good}`),
    ...['versionId=3HL4kqtJvjVBH40Nrjfkd', 'uploadId=x', 'partNumber=1'].map((query) => ({
      name: `DELETE of the object with ?${query}`,
      verdict: `404 NoSuchUpload|404 NoSuchVersion|400 InvalidArgument|${verdict}`,
      act: () => send(server, { method: 'DELETE', target: `/${bucket}/${good}?${query}` }),
    })),
  ]
}

/** What a client asks for in a header it believes to have got when it is answered 200. */
export function meaningfulHeaders(server: Server, { bucket }: Stage): readonly Attack[] {
  const rows: readonly (readonly [name: string, value: string, verdict: string])[] = [
    ['x-amz-server-side-encryption', 'AES256', '501 NotImplemented'],
    ['x-amz-server-side-encryption', 'aws:kms', '501 NotImplemented'],
    ['x-amz-server-side-encryption-customer-algorithm', 'AES256', '501 NotImplemented'],
    ['x-amz-server-side-encryption-aws-kms-key-id', 'k', '501 NotImplemented'],
    ['x-amz-server-side-encryption-bucket-key-enabled', 'true', '501 NotImplemented'],
    ['x-amz-object-lock-mode', 'COMPLIANCE', '501 NotImplemented'],
    ['x-amz-object-lock-retain-until-date', '2099-01-01T00:00:00Z', '501 NotImplemented'],
    ['x-amz-object-lock-legal-hold', 'ON', '501 NotImplemented'],
    ['x-amz-website-redirect-location', '/x', '501 NotImplemented'],
    ['x-amz-write-offset-bytes', '0', '501 NotImplemented'],
    ['x-amz-rename-source', '/a/b', '501 NotImplemented'],
    ['x-amz-mfa', '1 2', '501 NotImplemented'],
    ['x-amz-acl', 'public-read', '400 AccessControlListNotSupported'],
    ['x-amz-acl', 'nonsense', '400 AccessControlListNotSupported|400 InvalidArgument'],
    ['x-amz-grant-read', 'id=x', '400 AccessControlListNotSupported'],
    ['x-amz-grant-full-control', 'id=x', '400 AccessControlListNotSupported'],
    ['x-amz-storage-class', 'GLACIER', '400 InvalidStorageClass'],
    ['content-range', 'bytes 0-0/1', '501 NotImplemented'],
    ['if-unmodified-since', 'Thu, 01 Jan 1970 00:00:00 GMT', '501 NotImplemented'],
    ['if-match', '"00000000000000000000000000000000"', '404 NoSuchKey|412 PreconditionFailed'],
  ]
  const ofBuckets: typeof rows = [
    ['x-amz-acl', 'public-read-write', '400 AccessControlListNotSupported'],
    ['x-amz-bucket-object-lock-enabled', 'true', '501 NotImplemented'],
    ['x-amz-object-ownership', 'ObjectWriter', '501 NotImplemented'],
  ]
  return [
    ...rows.map(([name, value, verdict]) => ({
      name: `PutObject with ${name}: ${value}`,
      verdict,
      act: () => put(server, `/${bucket}/never`, 'x', [[name, value]]),
    })),
    ...ofBuckets.map(([name, value, verdict]) => ({
      name: `CreateBucket with ${name}: ${value}`,
      verdict,
      act: () => send(server, { method: 'PUT', target: '/made-by-enemy', headers: [[name, value]] }),
    })),
    {
      name: 'an owner that the bucket has not',
      verdict: '403 AccessDenied',
      act: () => put(server, `/${bucket}/never`, 'x', [['x-amz-expected-bucket-owner', '123456789012']]),
    },
  ]
}
