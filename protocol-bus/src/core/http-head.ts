/**
 * What the host makes of a request's head, before any front end sees it. Node's parser has refused what is malformed;
 * refused here is what it lets through and what two readers of one request could understand in two ways: several Host
 * headers, transfer codings other than `chunked`, targets that are no path (RFC 9112 §3.2, §6.1; a signature would cover
 * one reading and a proxy might use the other).
 */

export interface RequestHead {
  readonly method: string
  readonly target: string
  /** 0 or 1 of HTTP/1.x. */
  readonly httpMinor: number
  /** Name, value, name, value … */
  readonly rawHeaders: readonly string[]
}

export interface AcceptedHead {
  readonly kind: 'accepted'
  /** Undefined for a chunked body; 0 for none. */
  readonly bodyBytes: number | undefined
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
}

export interface RefusedHead {
  readonly kind: 'refused'
  /** The HTTP status that fits. */
  readonly status: 400 | 417 | 431 | 501
  readonly reason: string
}

/** Node drops headers above its own count without a word; this bound refuses them instead. */
export const maxHeaderFields = 200

export function judgeHead(head: RequestHead): AcceptedHead | RefusedHead {
  if (head.target.charCodeAt(0) !== slash) return refused(400, 'the request target is not a path')
  if (head.rawHeaders.length > 2 * maxHeaderFields) return refused(431, `more than ${maxHeaderFields} header fields`)
  const framing = framingOf(head.rawHeaders)
  if (framing.hosts > 1 || (framing.hosts === 0 && head.httpMinor > 0)) return refused(400, 'a request names one host')
  return judgeCoding(framing, head.httpMinor) ?? judgeExpectation(framing) ?? accepted(framing)
}

const slash = 0x2f

/** What the headers say of where the body is and ends. */
interface Framing {
  hosts: number
  codings: number
  coding: string
  length: string | undefined
  expect: string | undefined
}

/** Costs a few comparisons per header: only names of the right length are looked at. */
function framingOf(rawHeaders: readonly string[]): Framing {
  const framing: Framing = { hosts: 0, codings: 0, coding: '', length: undefined, expect: undefined }
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && isName(name, 'host')) framing.hosts++
    else if (name.length === 14 && isName(name, 'content-length')) framing.length = rawHeaders[i + 1]
    else if (name.length === 6 && isName(name, 'expect')) framing.expect = rawHeaders[i + 1]
    else if (name.length === 17 && isName(name, 'transfer-encoding')) {
      framing.codings++
      framing.coding = rawHeaders[i + 1] as string
    }
  }
  return framing
}

function judgeCoding({ codings, coding, length }: Framing, httpMinor: number): RefusedHead | undefined {
  if (codings === 0) return undefined
  if (codings > 1 || length !== undefined || httpMinor === 0) return refused(400, 'an ambiguous body length')
  return coding.toLowerCase() === 'chunked' ? undefined : refused(501, 'no transfer coding but chunked is supported')
}

function judgeExpectation({ expect }: Framing): RefusedHead | undefined {
  if (expect === undefined || expect.toLowerCase() === '100-continue') return undefined
  return refused(417, 'no expectation but 100-continue is supported')
}

function accepted({ codings, length, expect }: Framing): AcceptedHead | RefusedHead {
  const bodyBytes = codings > 0 ? undefined : Number(length ?? 0)
  if (bodyBytes !== undefined && !Number.isSafeInteger(bodyBytes)) return refused(400, 'no content is that long')
  return { kind: 'accepted', bodyBytes, expectsContinue: expect !== undefined && bodyBytes !== 0 }
}

function isName(name: string, expected: string): boolean {
  return name === expected || name.toLowerCase() === expected
}

function refused(status: RefusedHead['status'], reason: string): RefusedHead {
  return { kind: 'refused', status, reason }
}
