/**
 * Documents of clients as a small tree. `saxes` checks that they are well-formed XML; what is allowed beyond that is
 * little: UTF-8, no document type (so no entities but XML's five), no processing instructions, no deep nesting, a
 * bounded number of elements. A document's bytes were bounded before it came here.
 */

import { SaxesParser } from 'saxes'
import { S3Error } from '../core/errors/s3-error.ts'

export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string
  readonly children: readonly XmlElement[]
  /** Its own character data, untrimmed; white space where it has children. */
  readonly text: string
}

export interface XmlLimits {
  readonly maxElements: number
}

export const maxXmlDepth = 16

/** `MalformedXML` for everything that is not such a document with this root. */
export function parseXml(document: Uint8Array, root: string, limits: XmlLimits): XmlElement | S3Error {
  try {
    const element = build(utf8.decode(document), limits)
    return element.name === root ? element : new S3Error('MalformedXML')
  } catch (error) {
    return new S3Error('MalformedXML', { cause: error })
  }
}

/** The text of the only child of this name; undefined where there is none. */
export function childText(element: XmlElement, name: string): string | undefined | S3Error {
  let found: string | undefined
  for (const child of element.children) {
    if (child.name !== name) continue
    if (found !== undefined || child.children.length > 0) return new S3Error('MalformedXML')
    found = child.text
  }
  return found
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[]
  text: string
}

// Takes a byte order mark away, and throws for what is not UTF-8.
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Throws an error for every fault; `parseXml` turns all of them into one answer. */
function build(document: string, { maxElements }: XmlLimits): XmlElement {
  const parser = new SaxesParser({ position: false })
  const open: OpenElement[] = []
  let elements = 0
  let root: XmlElement | undefined
  // A handler that throws ends the parse at once: nothing after the first fault is looked at.
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('a document type')
  })
  parser.on('processinginstruction', () => {
    throw new Error('a processing instruction')
  })
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw new Error('another encoding')
  })
  parser.on('opentag', ({ name }) => {
    if (++elements > maxElements) throw new Error('too many elements')
    if (open.length === maxXmlDepth) throw new Error('too deep')
    const element: OpenElement = { name, children: [], text: '' }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => {
    const element = open.pop()
    if (element !== undefined && element.children.length > 0 && element.text.trim() !== '') {
      throw new Error('text between elements')
    }
  })
  const addText = (text: string): void => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.write(document).close()
  if (root === undefined) throw new Error('no element')
  return root
}
