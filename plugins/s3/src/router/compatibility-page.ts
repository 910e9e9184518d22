/** `docs/reference/s3-compatibility.md`: what of S3 there is, as the tables of the code have it. */

import { s3ErrorTable } from '../core/errors/codes.ts'
import { operations } from '../operations/all-operations.ts'
import type { Operation, OperationAddress } from '../operations/operation.ts'
import { absentOperations } from './aws-operations.ts'
import { headerRules } from './header-rules.ts'
import type { HeaderRule } from './header-rules.ts'

/** Markdown. A function of the code alone. */
export function compatibilityPage(): string {
  return [
    '# S3 compatibility',
    '',
    'Written by `npm run docs` from the records in `plugins/s3/src/operations`: do not edit.',
    '',
    '## Operations',
    '',
    `${operations.length} operations. A grant is what the caller needs on the bucket or volume; an administrator and an owner have all.`,
    '',
    table(['operation', 'request', 'also reads', 'grant'], operations.map(operationRow)),
    '',
    'What differs from Amazon S3:',
    '',
    ...operations.flatMap(({ name, notes = [] }) => notes.map((note) => `- **${name}**: ${note}`)),
    '',
    '## Operations that are not there',
    '',
    'They are answered 501 `NotImplemented`, and never as the operation without the sub-resource. A sub-resource that S3 has for another method is 405 `MethodNotAllowed`; parameters that exclude one another are 400 `InvalidRequest`. Query parameters that are not of S3 are ignored, as there.',
    '',
    table(
      ['request', 'operations'],
      [...absentByRequest()].map(([request, names]) => [request, names.join(', ')]),
    ),
    '',
    '## Headers that change what a request means',
    '',
    'An operation that does not list one of these under *also reads* refuses it, unless its value asks for what is so anyway.',
    '',
    table(['header', 'accepted values', 'otherwise', 'why'], headerRules.map(headerRow)),
    '',
    '`x-amz-expected-bucket-owner` is compared with the owner of the bucket by every operation but CreateBucket: 403 `AccessDenied` where it is another. Other headers describe the request (signature, checksums, `Content-MD5`) or the object (`x-amz-meta-*`, `Cache-Control`, `Content-Disposition`, `Content-Encoding`, `Content-Language`, `Content-Type`, `Expires`), and are read where they matter.',
    '',
    '## Errors',
    '',
    table(
      ['code', 'status', 'message'],
      Object.entries(s3ErrorTable).map(([code, [status, message]]) => [`\`${code}\``, String(status), message]),
    ),
    '',
  ].join('\n')
}

function operationRow(operation: Operation): readonly string[] {
  const { name, parameters, headers, action } = operation
  const reads = [
    ...parameters.map((parameter) => `?${parameter}`),
    ...headers.filter((header) => header !== operation.header),
  ]
  const actions = typeof action === 'string' ? [action] : action
  return [
    name,
    requestOf(operation),
    reads.map((one) => `\`${one}\``).join(' '),
    actions.map((one) => `\`${one}\``).join(' '),
  ]
}

function requestOf({ method, level, query, header }: OperationAddress): string {
  const path = { service: '/', bucket: '/bucket', object: '/bucket/key' }[level]
  const parameters = query.length === 0 ? '' : `?${query.join('&')}`
  return `\`${method} ${path}${parameters}\`${header === undefined ? '' : ` with \`${header}\``}`
}

/** By path and first parameter, so that the methods of one sub-resource stand together. */
function absentByRequest(): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, string[]>()
  for (const operation of absentOperations) {
    const { level, query, header } = operation
    const path = { service: '/', bucket: '/bucket', object: '/bucket/key' }[level]
    const request = `\`${path}${query[0] === undefined ? '' : `?${query[0]}`}\`${header === undefined ? '' : ` with \`${header}\``}`
    const names = rows.get(request) ?? []
    if (!names.includes(operation.name)) rows.set(request, [...names, operation.name])
  }
  return rows
}

function headerRow({ name, harmless = [], code, on, why }: HeaderRule): readonly string[] {
  if (harmless === 'any') return [`\`${name}\``, 'any', '', why]
  const accepted = harmless.map((value) => `\`${value}\``).join(' ')
  return [`\`${name}\``, accepted, `\`${code}\`${on === 'writes' ? ' (writes)' : ''}`, why]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
