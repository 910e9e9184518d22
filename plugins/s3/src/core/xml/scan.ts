/**
 * XML 1.0 as small trees, for documents that clients send. Written for three things that parsers at large do not give
 * together: it refuses what is not well-formed, its cost is bounded by the first limit that is passed, and a list of
 * 10,000 parts does not hold up everybody else. What is allowed is little: no document type (so no entities but XML's
 * five), no processing instructions.
 *
 * https://www.w3.org/TR/xml/ (the numbers in brackets are its productions)
 */

import { S3Error } from '../errors/s3-error.ts'

export interface XmlElement {
  /** As written, with its prefix; namespaces are not resolved. Attributes are checked and dropped. */
  readonly name: string
  readonly children: readonly XmlElement[]
  /** Its character data, untrimmed; empty where it has children. */
  readonly text: string
}

export interface XmlLimits {
  readonly maxElements: number
}

export const maxXmlDepth = 16
export const maxXmlAttributes = 16

/** The root of a document; throws `MalformedXML`, with the reason as its cause, for everything that is none. */
export function scanXml(document: string, limits: XmlLimits): XmlElement {
  if (notChar.test(document)) throw malformed('a character that XML has no place for')
  return new Scanner(document.includes('\r') ? document.replace(/\r\n?/g, '\n') : document, limits).scan()
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[]
  text: string
}

class Scanner {
  readonly #text: string
  readonly #limits: XmlLimits
  readonly #open: OpenElement[] = []
  #at = 0
  #elements = 0
  #root: OpenElement | undefined

  constructor(text: string, limits: XmlLimits) {
    this.#text = text
    this.#limits = limits
  }

  scan(): XmlElement {
    this.#skipDeclaration()
    while (this.#at < this.#text.length) {
      const markup = this.#text.indexOf('<', this.#at)
      this.#takeText(markup < 0 ? this.#text.length : markup)
      if (markup >= 0) this.#takeMarkup()
    }
    if (this.#root === undefined) throw malformed('no element')
    if (this.#open.length > 0) throw malformed('an element without its end')
    return this.#root
  }

  /** [23] */
  #skipDeclaration(): void {
    if (this.#text.startsWith('\ufeff')) this.#at = 1
    const match = this.#match(declaration)
    if (match === undefined) return
    const encoding = match[1] ?? match[2]
    if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw malformed('another encoding')
  }

  /** [14]: up to `end`, where markup or nothing follows. */
  #takeText(end: number): void {
    const start = this.#at
    this.#at = end
    if (start === end) return
    const raw = this.#text.slice(start, end)
    const element = this.#open.at(-1)
    if (element === undefined) {
      if (onlyBlanks.test(raw)) return
      throw malformed('text outside of the root')
    }
    if (raw.includes(']]>')) throw malformed('the end of a CDATA section that did not start')
    element.text += raw.includes('&') ? resolve(raw) : raw
  }

  #takeMarkup(): void {
    const text = this.#text
    if (text.startsWith('</', this.#at)) this.#takeEnd()
    else if (text.startsWith('<!--', this.#at)) this.#takeComment()
    else if (text.startsWith('<![CDATA[', this.#at)) this.#takeCdata()
    else this.#takeStart()
  }

  /** [15] */
  #takeComment(): void {
    const end = this.#text.indexOf('--', this.#at + 4)
    if (end < 0 || this.#text[end + 2] !== '>') throw malformed('a comment without its end')
    this.#at = end + 3
  }

  /** [18] */
  #takeCdata(): void {
    const element = this.#open.at(-1)
    const start = this.#at + 9
    const end = this.#text.indexOf(']]>', start)
    if (end < 0 || element === undefined) throw malformed('a CDATA section without its end or outside of the root')
    element.text += this.#text.slice(start, end)
    this.#at = end + 3
  }

  /** [40] [44] */
  #takeStart(): void {
    this.#at++
    // `<!DOCTYPE` and `<?target` end here too: neither is a name.
    const name = this.#match(nameAt)?.[0]
    if (name === undefined) throw malformed('markup that is no element')
    this.#takeAttributes()
    const isEmpty = this.#text[this.#at] === '/'
    if (isEmpty) this.#at++
    if (this.#text[this.#at] !== '>') throw malformed('a tag without its end')
    this.#at++
    this.#begin(name)
    if (isEmpty) this.#open.pop()
  }

  #begin(name: string): void {
    if (++this.#elements > this.#limits.maxElements) throw malformed('too many elements')
    if (this.#open.length === maxXmlDepth) throw malformed('too deep')
    const element: OpenElement = { name, children: [], text: '' }
    const parent = this.#open.at(-1)
    if (parent !== undefined) parent.children.push(element)
    else if (this.#root === undefined) this.#root = element
    else throw malformed('two roots')
    this.#open.push(element)
  }

  /** [41]; leaves the position at what ends the tag. */
  #takeAttributes(): void {
    if (this.#text[this.#at] === '>') return
    const names = new Set<string>()
    for (let match = this.#match(attributeAt); match !== undefined; match = this.#match(attributeAt)) {
      const [, name = '', double, single] = match
      if (names.has(name) || names.size === maxXmlAttributes) throw malformed('an attribute twice, or too many')
      names.add(name)
      resolve(double ?? single ?? '')
    }
    this.#match(blanksAt)
  }

  /** [42] */
  #takeEnd(): void {
    const element = this.#open.pop()
    this.#at += 2
    if (element === undefined || !this.#text.startsWith(element.name, this.#at)) throw malformed('another end')
    this.#at += element.name.length
    this.#match(blanksAt)
    if (this.#text[this.#at] !== '>') throw malformed('another end')
    this.#at++
    if (element.children.length === 0) return
    if (!onlyBlanks.test(element.text)) throw malformed('text among elements')
    element.text = ''
  }

  /** Matches a sticky expression here, and goes behind it. */
  #match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at
    const match = expression.exec(this.#text)
    if (match === null) return undefined
    this.#at = expression.lastIndex
    return match
  }
}

/** [2] */
// oxlint-disable-next-line no-control-regex -- they are what it is about
const notChar = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

/** [3] */
const onlyBlanks = /^[ \t\n]*$/
const blanksAt = /[ \t\n]+/y

/** [4] [5] */
const nameStart = String.raw`:A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}`
const name = String.raw`[${nameStart}][${nameStart}.0-9\u{B7}\u{300}-\u{36F}\u{203F}-\u{2040}\-]*`
const nameAt = new RegExp(name, 'uy')

/** [10] [41], with the white space before it. */
const attributeAt = new RegExp(String.raw`[ \t\n]+(${name})[ \t\n]*=[ \t\n]*(?:"([^<"]*)"|'([^<']*)')`, 'uy')

/** [23] [24] [32] [80] */
const declaration =
  /<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*(?:"1\.\d+"|'1\.\d+')(?:[ \t\n]+encoding[ \t\n]*=[ \t\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?(?:[ \t\n]+standalone[ \t\n]*=[ \t\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\n]*\?>/y

/** [66] [68]: each reference replaced by its character. */
function resolve(raw: string): string {
  let text = ''
  let at = 0
  for (let start = raw.indexOf('&'); start >= 0; start = raw.indexOf('&', at)) {
    const end = raw.indexOf(';', start)
    text += raw.slice(at, start) + characterOf(raw.slice(start + 1, end < 0 ? start + 1 : end))
    at = end + 1
  }
  return text + raw.slice(at)
}

const entities: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])

function characterOf(reference: string): string {
  const entity = entities.get(reference)
  if (entity !== undefined) return entity
  const match = /^#(?:x([0-9A-Fa-f]{1,8})|(\d{1,10}))$/.exec(reference)
  if (match === null) throw malformed('a reference to nothing')
  const code = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16)
  const isSurrogate = code >= 0xd800 && code <= 0xdfff
  if (isSurrogate || code > 0x10ffff) throw malformed('a reference to no character')
  const character = String.fromCodePoint(code)
  if (notChar.test(character)) throw malformed('a reference to a character that XML has no place for')
  return character
}

function malformed(reason: string): S3Error {
  return new S3Error('MalformedXML', { cause: new Error(reason) })
}
