import { describe, expect, test } from 'vitest'
import { judgeHead, maxHeaderFields } from '../../src/core/http-head.ts'

const judge = (rawHeaders: readonly string[], given: { target?: string; httpMinor?: number } = {}) =>
  judgeHead({ method: 'PUT', target: '/b/k', httpMinor: 1, rawHeaders, ...given })

describe('accepted', () => {
  test.each<[readonly string[], number | undefined, boolean]>([
    [['Host', 'a'], 0, false],
    [['host', 'a', 'Content-Length', '12'], 12, false],
    [['HOST', 'a', 'CONTENT-LENGTH', '0'], 0, false],
    [['Host', 'a', 'Transfer-Encoding', 'chunked'], undefined, false],
    [['Host', 'a', 'transfer-encoding', 'Chunked'], undefined, false],
    [['Host', 'a', 'Content-Length', '1', 'Expect', '100-Continue'], 1, true],
    [['Host', 'a', 'Transfer-Encoding', 'chunked', 'Expect', '100-continue'], undefined, true],
    // Nothing to wait for.
    [['Host', 'a', 'Expect', '100-continue'], 0, false],
    // Of the same length as the names that matter.
    [['Host', 'a', 'Date', 'x', 'Cookie', 'x', 'Accept-Charset', 'x', 'X-Seventeen-Chars', 'gzip'], 0, false],
  ])('%j', (rawHeaders, bodyBytes, expectsContinue) => {
    expect(judge(rawHeaders)).toEqual({ kind: 'accepted', bodyBytes, expectsContinue })
  })

  test('without a host only in HTTP/1.0', () => {
    expect(judge([], { httpMinor: 0 })).toMatchObject({ kind: 'accepted' })
  })
})

describe('refused', () => {
  test.each<[string, readonly string[], number]>([
    ['no host', [], 400],
    ['two hosts', ['Host', 'a', 'host', 'a'], 400],
    ['a coding before chunked', ['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'], 501],
    ['another coding', ['Host', 'a', 'Transfer-Encoding', 'identity'], 501],
    ['an empty coding', ['Host', 'a', 'Transfer-Encoding', ''], 501],
    ['two codings', ['Host', 'a', 'Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'], 400],
    ['two lengths', ['Host', 'a', 'Transfer-Encoding', 'chunked', 'Content-Length', '3'], 400],
    ['an unknown expectation', ['Host', 'a', 'Expect', '200-ok'], 417],
    ['a length beyond counting', ['Host', 'a', 'Content-Length', '9007199254740993'], 400],
  ])('%s', (_, rawHeaders, status) => {
    expect(judge(rawHeaders)).toMatchObject({ kind: 'refused', status })
  })

  test.each(['http://evil/x', 'evil:80', '*', ''])('the target %j', (target) => {
    expect(judge(['Host', 'a'], { target })).toMatchObject({ kind: 'refused', status: 400 })
  })

  test('a transfer coding in HTTP/1.0, which has none', () => {
    expect(judge(['Transfer-Encoding', 'chunked'], { httpMinor: 0 })).toMatchObject({ kind: 'refused', status: 400 })
  })

  test('one header field too many', () => {
    const fields = (count: number) => ['Host', 'a', ...Array.from({ length: 2 * (count - 1) }, () => 'x')]
    expect(judge(fields(maxHeaderFields))).toMatchObject({ kind: 'accepted' })
    expect(judge(fields(maxHeaderFields + 1))).toMatchObject({ kind: 'refused', status: 431 })
  })
})
