import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accepted } from '../auth/example-account.ts'
import { bodyOf } from '../request/http-request.ts'
import { publishedBody, publishedContent, publishedRequest } from './published-chunks.ts'
import type { PublishedKind } from './published-chunks.ts'
import { receive, receiveCode } from './receive.ts'

/** What a damaged body may be called; anything else, such as InternalError, is a fault of ours. */
const refusals = ['IncompleteBody', 'SignatureDoesNotMatch', 'MalformedTrailerError', 'InvalidRequest', 'BadDigest']

const kinds: readonly PublishedKind[] = ['plain', 'trailer']

describe.each(kinds)('the published upload, %s', (kind) => {
  const request = publishedRequest(kind)
  const authenticated = accepted(request)
  const sent = publishedBody(kind)
  const code = (bytes: Uint8Array): Promise<string> => receiveCode(bodyOf([bytes]), request, authenticated)

  test('arrives', async () => {
    const received = await receive(bodyOf([sent]), request, authenticated)
    expect(received.content).toEqual(publishedContent)
    expect(received.etag).toBe(createHash('md5').update(publishedContent).digest('hex'))
    expect(received.checksum).toEqual(
      kind === 'trailer' ? { algorithm: 'crc32c', type: 'full-object', value: 'sOO8/Q==' } : undefined,
    )
  })

  test('arrives however it is cut, with and without a length', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: sent.length }), { maxLength: 12 }),
        fc.boolean(),
        async (cuts, withLength) => {
          const edges = [0, ...cuts.toSorted((a, b) => a - b), sent.length]
          const pieces = edges.slice(1).map((end, i) => sent.subarray(edges[i], end))
          const body = bodyOf(pieces, withLength ? sent.length : undefined)
          const received = await receive(body, request, authenticated)
          expect(received.content.equals(publishedContent)).toBe(true)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('arrives byte by byte around its framing', async () => {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < sent.length;) {
      const isContent = at > 200 && at < 65_000
      const end = isContent ? 65_000 : at + 1
      pieces.push(sent.subarray(at, end))
      at = end
    }
    const received = await receive(bodyOf(pieces, undefined), request, authenticated)
    expect(received.content.equals(publishedContent)).toBe(true)
  })

  test('is refused whichever byte of it is changed', async () => {
    const contentEdges = [89, 90, 40_000, 65_620, 65_626, 65_715, 66_000, 66_730]
    const framing = [...sent.keys()].filter((at) => at < 88 || (at > 65_620 && at < 65_720) || at > 66_735)
    for (const at of [...contentEdges, ...framing]) {
      const changed = Buffer.from(sent)
      changed[at] = (changed[at] as number) ^ 0x01
      const answer = await code(changed)
      expect(refusals, `byte ${at}`).toContain(answer)
    }
  })

  test('is refused wherever it is cut off', async () => {
    for (let end = 0; end < sent.length; end += end > 100 && end < 65_600 ? 997 : 1) {
      const answer = await code(sent.subarray(0, end))
      expect({ end, answer }).toEqual({ end, answer: 'IncompleteBody' })
    }
  })

  test('is refused with anything behind it', async () => {
    expect(await code(Buffer.concat([sent, Buffer.from('\r\n')]))).toBe('IncompleteBody')
    expect(await code(Buffer.concat([sent, sent]))).toBe('IncompleteBody')
  })
})

describe('signed chunks', () => {
  const request = publishedRequest('plain')
  const authenticated = accepted(request)
  const sent = publishedBody('plain').toString('latin1')
  const code = (text: string): Promise<string> =>
    receiveCode(bodyOf([Buffer.from(text, 'latin1')]), request, authenticated)
  const firstEnd = sent.indexOf('400;')
  const secondEnd = sent.indexOf('0;chunk-signature=b6c6')
  const [first, second, last] = [sent.slice(0, firstEnd), sent.slice(firstEnd, secondEnd), sent.slice(secondEnd)]

  test.each([
    ['reordered', second + first + last, 'SignatureDoesNotMatch'],
    ['one missing', first + last, 'IncompleteBody'],
    ['one twice', first + first + last, 'IncompleteBody'],
    ['without the last', first + second, 'IncompleteBody'],
    ['without a signature', sent.replace(/;chunk-signature=[0-9a-f]{64}/, ''), 'SignatureDoesNotMatch'],
    ['last without a signature', first + second + '0\r\n\r\n', 'SignatureDoesNotMatch'],
    ['last with the signature of another', first + second + last.replace('b6c6', 'b6c7'), 'SignatureDoesNotMatch'],
    ['larger than 16 MiB', `${(2 ** 24 + 1).toString(16)}${sent.slice(5)}`, 'IncompleteBody'],
    ['a size of 2^64', `10000000000000000${sent.slice(5)}`, 'IncompleteBody'],
    ['a negative size', `-1${sent.slice(5)}`, 'IncompleteBody'],
    ['no size', sent.slice(5), 'IncompleteBody'],
    [
      'a trailer that was not announced',
      first + second + last.slice(0, -2) + 'x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n',
      'MalformedTrailerError',
    ],
    ['line feeds alone', sent.replaceAll('\r\n', '\n'), 'IncompleteBody'],
    ['an extension beside the signature', sent.replace('\r\n', ';x=y\r\n'), 'IncompleteBody'],
    ['a line without end', '1'.repeat(5000), 'IncompleteBody'],
  ])('%s', async (_, text, expected) => {
    expect(await code(text)).toBe(expected)
  })
})

test('rubbish of any kind is refused as such', async () => {
  const shard = fc.constantFrom(
    '0',
    '1',
    'a',
    ';chunk-signature=',
    '0'.repeat(64),
    '\r\n',
    '\n',
    ':',
    'x-amz-trailer-signature:',
    'é',
  )
  const rubbish = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: shard, maxLength: 40 }).map((text) => Buffer.from(text)),
  )
  await fc.assert(
    fc.asyncProperty(rubbish, fc.constantFrom(...kinds), async (bytes, kind) => {
      const request = publishedRequest(kind)
      const answer = await receiveCode(bodyOf([bytes], undefined), request, accepted(request))
      expect(refusals).toContain(answer)
    }),
    { numRuns: 150 },
  )
})
