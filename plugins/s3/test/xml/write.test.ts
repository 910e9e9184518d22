import { parseXML } from '@aws-sdk/xml-builder'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { element, encodeUrl, escapeText } from '../../src/core/xml/text.ts'
import {
  listBucketsDocument,
  listObjectsDocument,
  listObjectsV2Document,
  listPartsDocument,
  listUploadsDocument,
} from '../../src/core/xml/write-listing.ts'
import {
  completeUploadDocument,
  copyObjectDocument,
  copyPartDocument,
  deleteDocument,
  initiateUploadDocument,
  locationDocument,
  objectAttributesDocument,
  taggingDocument,
} from '../../src/core/xml/write-result.ts'
import { scanXml } from '../../src/core/xml/scan.ts'
import type { XmlElement } from '../../src/core/xml/scan.ts'

const modifiedMs = Date.UTC(2013, 4, 24, 1, 2, 3, 456)
const owner = { id: 'o&1', displayName: 'Owner <1>' }

const limits = { maxElements: 10_000 }

/** The content of the root, without the declaration, the namespace and the line ends that nobody reads. */
function inner(document: string, root: string): string {
  const head = `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
  expect(document.slice(0, head.length)).toBe(head)
  expect(document.endsWith(`</${root}>`)).toBe(true)
  expect(scanXml(document, limits).name).toBe(root)
  return document.slice(head.length, -`</${root}>`.length)
}

const texts = (found: XmlElement, name: string): string[] => [
  ...(found.name === name ? [found.text] : []),
  ...found.children.flatMap((child) => texts(child, name)),
]

describe('text', () => {
  test.each([
    ['plain', 'plain'],
    ['<a & b>', '&lt;a &amp; b&gt;'],
    [`"'`, '&quot;&apos;'],
    ['a\rb\nc\td', 'a&#xD;b&#10;c&#9;d'],
    ['\0\u0001\u001f\u007f\u0085', '&#x0;&#x1;&#x1f;&#x7f;&#x85;'],
    ['é日😀', 'é日😀'],
    ['\ufffe\uffff', '&#xfffe;&#xffff;'],
  ])('%j is written %s', (text, expected) => {
    expect(escapeText(text)).toBe(expected)
  })

  test('is read by the AWS SDK as it was', () => {
    const xmlText = fc.string({
      unit: fc.oneof(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        fc.constantFrom('\r', '\n', '&', '<', '>', '"', ' ', '&amp;', ']]>'),
      ),
      minLength: 1,
    })
    fc.assert(
      fc.property(xmlText, (text) => {
        // The SDK trims nothing but what is white space alone; S3 has keys of which that is all.
        const { Root } = parseXML(`<Root>${element('Key', `k${text}k`)}</Root>`) as { Root: { Key: string } }
        expect(Root.Key).toBe(`k${text}k`)
      }),
    )
  })

  test('is encoded for encoding-type=url so that every decoder agrees', () => {
    expect(encodeUrl('foo+1/bar baz%é*~')).toBe('foo%2B1/bar%20baz%25%C3%A9%2A~')
    expect(encodeUrl('\r\0')).toBe('%0D%00')
  })
})

test('ListBuckets', () => {
  const document = listBucketsDocument({
    owner,
    buckets: [
      { name: 'a', createdMs: modifiedMs, region: 'us-east-1' },
      { name: 'b', createdMs: modifiedMs },
    ],
    prefix: 'p&',
    continuationToken: 't',
  })
  expect(inner(document, 'ListAllMyBucketsResult')).toBe(
    '<Owner><ID>o&amp;1</ID><DisplayName>Owner &lt;1&gt;</DisplayName></Owner>' +
      '<Buckets><Bucket><Name>a</Name><CreationDate>2013-05-24T01:02:03.000Z</CreationDate><BucketRegion>us-east-1</BucketRegion></Bucket>' +
      '<Bucket><Name>b</Name><CreationDate>2013-05-24T01:02:03.000Z</CreationDate></Bucket></Buckets>' +
      '<ContinuationToken>t</ContinuationToken><Prefix>p&amp;</Prefix>',
  )
})

const objects = [
  { key: 'a b+c', modifiedMs, etag: 'e1', size: 5, checksumAlgorithm: 'CRC32', checksumType: 'FULL_OBJECT', owner },
  { key: 'a<', modifiedMs: 0, etag: 'e2-3', size: 0 },
]
const contents =
  '<Contents><Key>a b+c</Key><LastModified>2013-05-24T01:02:03.000Z</LastModified><ETag>&quot;e1&quot;</ETag>' +
  '<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>' +
  '<Owner><ID>o&amp;1</ID><DisplayName>Owner &lt;1&gt;</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>' +
  '<Contents><Key>a&lt;</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;e2-3&quot;</ETag>' +
  '<Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>'

describe('ListObjects', () => {
  const list = {
    bucket: 'photos',
    prefix: '',
    delimiter: '',
    maxKeys: 1000,
    encoding: 'none',
    truncated: false,
    objects,
    commonPrefixes: [],
  } as const

  test('version 1', () => {
    expect(inner(listObjectsDocument({ ...list, marker: '' }), 'ListBucketResult')).toBe(
      `<Name>photos</Name><Prefix></Prefix><Marker></Marker><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>${contents}`,
    )
  })

  test('version 1, in pages', () => {
    const page = {
      ...list,
      objects: [],
      marker: 'm&',
      nextMarker: 'n/',
      delimiter: '/',
      truncated: true,
      commonPrefixes: ['x&/'],
    }
    expect(inner(listObjectsDocument(page), 'ListBucketResult')).toBe(
      '<Name>photos</Name><Prefix></Prefix><Marker>m&amp;</Marker><NextMarker>n/</NextMarker><MaxKeys>1000</MaxKeys>' +
        '<Delimiter>/</Delimiter><IsTruncated>true</IsTruncated><CommonPrefixes><Prefix>x&amp;/</Prefix></CommonPrefixes>',
    )
  })

  test('version 2', () => {
    const page = {
      ...list,
      prefix: 'a',
      startAfter: 's',
      continuationToken: 'c',
      nextContinuationToken: 'n',
      commonPrefixes: ['a/'],
    }
    expect(inner(listObjectsV2Document(page), 'ListBucketResult')).toBe(
      '<Name>photos</Name><Prefix>a</Prefix><KeyCount>3</KeyCount><ContinuationToken>c</ContinuationToken>' +
        '<NextContinuationToken>n</NextContinuationToken><StartAfter>s</StartAfter><MaxKeys>1000</MaxKeys>' +
        `<IsTruncated>false</IsTruncated>${contents}<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>`,
    )
  })

  test('with encoding-type=url encodes every name in it, and says so', () => {
    const names = {
      ...list,
      encoding: 'url',
      prefix: 'a b',
      delimiter: '\n',
      marker: 'c d',
      nextMarker: 'e f',
      startAfter: 'g h',
      commonPrefixes: ['i j\n'],
    } as const
    for (const document of [listObjectsDocument(names), listObjectsV2Document(names)]) {
      const root = scanXml(document, limits)
      expect(texts(root, 'EncodingType')).toEqual(['url'])
      expect(texts(root, 'Delimiter')).toEqual(['%0A'])
      expect(texts(root, 'Prefix')).toEqual(['a%20b', 'i%20j%0A'])
      expect(texts(root, 'Key')).toEqual(['a%20b%2Bc', 'a%3C'])
    }
    expect(texts(scanXml(listObjectsDocument(names), limits), 'Marker')).toEqual(['c%20d'])
    expect(texts(scanXml(listObjectsDocument(names), limits), 'NextMarker')).toEqual(['e%20f'])
    expect(texts(scanXml(listObjectsV2Document(names), limits), 'StartAfter')).toEqual(['g%20h'])
  })
})

test('ListMultipartUploads', () => {
  const list = {
    bucket: 'b',
    prefix: 'p',
    delimiter: '/',
    keyMarker: 'k',
    uploadIdMarker: 'u',
    nextKeyMarker: 'nk',
    nextUploadIdMarker: 'nu',
    maxUploads: 2,
    encoding: 'none',
    truncated: true,
    commonPrefixes: ['p/'],
    uploads: [
      {
        key: 'a&',
        uploadId: 'u1',
        initiatedMs: modifiedMs,
        owner,
        checksumAlgorithm: 'SHA1',
        checksumType: 'COMPOSITE',
      },
    ],
  } as const
  const people = '<ID>o&amp;1</ID><DisplayName>Owner &lt;1&gt;</DisplayName>'
  expect(inner(listUploadsDocument(list), 'ListMultipartUploadsResult')).toBe(
    '<Bucket>b</Bucket><KeyMarker>k</KeyMarker><UploadIdMarker>u</UploadIdMarker><NextKeyMarker>nk</NextKeyMarker>' +
      '<NextUploadIdMarker>nu</NextUploadIdMarker><Prefix>p</Prefix><Delimiter>/</Delimiter><MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>' +
      `<Upload><Key>a&amp;</Key><UploadId>u1</UploadId><Initiator>${people}</Initiator><Owner>${people}</Owner><StorageClass>STANDARD</StorageClass>` +
      '<Initiated>2013-05-24T01:02:03.000Z</Initiated><ChecksumAlgorithm>SHA1</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType></Upload>' +
      '<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>',
  )
})

test('ListParts', () => {
  const list = {
    bucket: 'b',
    key: 'k',
    uploadId: 'u',
    owner,
    partNumberMarker: 0,
    nextPartNumberMarker: 2,
    maxParts: 2,
    encoding: 'none',
    truncated: true,
    parts: [
      { number: 1, modifiedMs, etag: 'e1', size: 5, checksum: { element: 'ChecksumCRC32', value: 'AAAAAA==' } },
      { number: 2, modifiedMs, etag: 'e2', size: 6 },
    ],
    checksumAlgorithm: 'CRC32',
    checksumType: 'COMPOSITE',
  } as const
  const people = '<ID>o&amp;1</ID><DisplayName>Owner &lt;1&gt;</DisplayName>'
  expect(inner(listPartsDocument(list), 'ListPartsResult')).toBe(
    '<Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker>' +
      '<MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>' +
      '<Part><PartNumber>1</PartNumber><LastModified>2013-05-24T01:02:03.000Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>5</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>' +
      '<Part><PartNumber>2</PartNumber><LastModified>2013-05-24T01:02:03.000Z</LastModified><ETag>&quot;e2&quot;</ETag><Size>6</Size></Part>' +
      `<Initiator>${people}</Initiator><Owner>${people}</Owner><StorageClass>STANDARD</StorageClass><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>`,
  )
})

const checksum = { element: 'ChecksumSHA256', value: 'x=-2', type: 'COMPOSITE' }
const shown = '<ChecksumSHA256>x=-2</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType>'

test.each([
  ['LocationConstraint', locationDocument('us-east-1'), ''],
  ['LocationConstraint', locationDocument('eu-west-1'), 'eu-west-1'],
  [
    'InitiateMultipartUploadResult',
    initiateUploadDocument({ bucket: 'b', key: 'k&', uploadId: 'u' }),
    '<Bucket>b</Bucket><Key>k&amp;</Key><UploadId>u</UploadId>',
  ],
  [
    'CompleteMultipartUploadResult',
    completeUploadDocument({ location: 'http://h/b/k', bucket: 'b', key: 'k', etag: 'e-2', checksum }),
    `<Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key><ETag>&quot;e-2&quot;</ETag>${shown}`,
  ],
  [
    'CopyObjectResult',
    copyObjectDocument({ etag: 'e', modifiedMs, checksum }),
    `<LastModified>2013-05-24T01:02:03.000Z</LastModified><ETag>&quot;e&quot;</ETag>${shown}`,
  ],
  [
    'CopyPartResult',
    copyPartDocument({ etag: 'e', modifiedMs }),
    '<LastModified>2013-05-24T01:02:03.000Z</LastModified><ETag>&quot;e&quot;</ETag>',
  ],
  [
    'DeleteResult',
    deleteDocument(
      [{ key: 'a' }, { key: 'b', versionId: 'null' }],
      [{ key: 'c', code: 'AccessDenied', message: 'Access Denied' }],
    ),
    '<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key><VersionId>null</VersionId></Deleted>' +
      '<Error><Key>c</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
  ],
  ['DeleteResult', deleteDocument([], []), ''],
  [
    'Tagging',
    taggingDocument({ b: '2', a: '<1>' }),
    '<TagSet><Tag><Key>a</Key><Value>&lt;1&gt;</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet>',
  ],
  ['Tagging', taggingDocument({}), '<TagSet></TagSet>'],
  ['GetObjectAttributesResponse', objectAttributesDocument({}), ''],
  [
    'GetObjectAttributesResponse',
    objectAttributesDocument({
      etag: 'e-2',
      checksum,
      parts: {
        total: 2,
        partNumberMarker: 0,
        nextPartNumberMarker: 1,
        maxParts: 1,
        truncated: true,
        rows: [{ number: 1, size: 5, checksum: { element: 'ChecksumSHA256', value: 'x=' } }],
      },
      storageClass: 'STANDARD',
      size: 10,
    }),
    `<ETag>e-2</ETag><Checksum>${shown}</Checksum>` +
      '<ObjectParts><PartsCount>2</PartsCount><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>1</NextPartNumberMarker>' +
      '<MaxParts>1</MaxParts><IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size><ChecksumSHA256>x=</ChecksumSHA256></Part></ObjectParts>' +
      '<StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize>',
  ],
])('%s', (root, document, expected) => {
  expect(inner(document, root)).toBe(expected)
})
