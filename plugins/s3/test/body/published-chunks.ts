/**
 * Amazon's published streamed uploads: 66,560 bytes of `a` in two chunks, without and with a trailer.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, sigv4-streaming-trailers.html
 */

import { s3Request } from '../request/http-request.ts'
import type { S3Request } from '../../src/core/request/s3-request.ts'

export const publishedSize = 66_560
export const publishedContent = Buffer.alloc(publishedSize, 'a')

const signatures = {
  plain: [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ],
  trailer: [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ],
} as const

const trailers =
  'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n'

export type PublishedKind = keyof typeof signatures

export function publishedBody(kind: PublishedKind): Buffer {
  const [first, second, last] = signatures[kind]
  return Buffer.from(
    `10000;chunk-signature=${first}\r\n${'a'.repeat(65_536)}\r\n400;chunk-signature=${second}\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=${last}\r\n${kind === 'trailer' ? trailers : ''}\r\n`,
  )
}

export function publishedRequest(kind: PublishedKind): S3Request {
  const scope = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'
  const common = [
    ['Host', 's3.amazonaws.com'],
    ['x-amz-date', '20130524T000000Z'],
    ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ['Content-Encoding', 'aws-chunked'],
    ['x-amz-decoded-content-length', String(publishedSize)],
  ] as const
  const own =
    kind === 'plain'
      ? ([
          ['Content-Length', '66824'],
          ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
          [
            'Authorization',
            `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9`,
          ],
        ] as const)
      : ([
          ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'],
          ['x-amz-trailer', 'x-amz-checksum-crc32c'],
          [
            'Authorization',
            `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e`,
          ],
        ] as const)
  return s3Request({ method: 'PUT', target: '/examplebucket/chunkObject.txt', headers: [...common, ...own] })
}
