/** XML as text: escaping, and the building blocks of documents. */

import { encodePath } from '../request/percent.ts'

export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** The namespace of every document but errors. */
export const s3Namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** The content of an element, already escaped: what documents are made of. */
export type XmlText = string

/**
 * Text of an element. A parser gives it back as it was: CR and LF are references, because parsers fold the one and
 * some drop the other where it stands alone. The other control characters have no place in XML 1.0, not even as
 * references; S3 writes them as references all the same, and lenient parsers read them. A client that has such keys
 * asks for `encoding-type=url`.
 */
export function escapeText(text: string): XmlText {
  return needsEscape.test(text) ? text.replace(everyEscape, reference) : text
}

/** `<name>text</name>`, escaped. */
export function element(name: string, text: string): XmlText {
  return `<${name}>${escapeText(text)}</${name}>`
}

/** `<name>…</name>` around what is XML already. */
export function wrap(name: string, content: XmlText): XmlText {
  return `<${name}>${content}</${name}>`
}

/** A whole document in S3's namespace. */
export function s3Document(name: string, content: XmlText): string {
  return `${xmlDeclaration}<${name} xmlns="${s3Namespace}">${content}</${name}>`
}

/** `encoding-type=url`: UTF-8 percent-encoding that leaves RFC 3986's unreserved characters and `/`. */
export const encodeUrl = encodePath

// oxlint-disable-next-line no-control-regex -- they are what it is about
const needsEscape = /[&<>"'\u0000-\u001f\u007f-\u009f\ufffe\uffff]/
// oxlint-disable-next-line no-control-regex -- they are what it is about
const everyEscape = /[&<>"'\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // In the spelling that the AWS SDK for JavaScript reads.
  '\r': '&#xD;',
  '\n': '&#10;',
  '\t': '&#9;',
}

function reference(character: string): string {
  return entities[character] ?? `&#x${character.charCodeAt(0).toString(16)};`
}
