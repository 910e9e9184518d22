/** Documents of clients, from bytes to small trees. Their size was bounded before they came here. */

import { S3Error } from '../core/errors/s3-error.ts'
import { scanXml } from '../core/xml/scan.ts'
import type { XmlElement, XmlLimits } from '../core/xml/scan.ts'

export type { XmlElement }

/** `MalformedXML` for everything that is not well-formed XML in UTF-8 with this root, within the limits. */
export function parseXml(document: Uint8Array, root: string, limits: XmlLimits): XmlElement | S3Error {
  const text = decode(document)
  if (text === undefined) return new S3Error('MalformedXML')
  try {
    const element = scanXml(text, limits)
    return element.name === root ? element : new S3Error('MalformedXML')
  } catch (error) {
    if (error instanceof S3Error) return error
    throw error
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

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(document: Uint8Array): string | undefined {
  try {
    return utf8.decode(document)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}
