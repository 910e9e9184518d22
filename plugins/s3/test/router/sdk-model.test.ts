/** The model of S3 that the AWS SDK was generated from, against ours: nothing of it may be unknown to the router. */

import * as sdk from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { parseRequest } from '../../src/core/request/s3-request.ts'
import { operations } from '../../src/operations/all-operations.ts'
import { absentOperations } from '../../src/router/aws-operations.ts'
import { headerRules } from '../../src/router/header-rules.ts'
import { createRouter } from '../../src/router/router.ts'

interface Member {
  readonly name: string
  readonly query: string | undefined
  readonly header: string | undefined
  readonly required: boolean
}

interface Modelled {
  readonly name: string
  readonly method: string
  readonly target: string
  readonly members: readonly Member[]
}

type OperationSchema = [9, string, string, { http: [string, string, number] }, () => StructureSchema]
type StructureSchema = [3, string, string, number, string[], unknown[], number?]

/** Schemas of the SDK are arrays; an operation is one that starts with 9. */
const modelled: readonly Modelled[] = Object.values(sdk as Readonly<Record<string, unknown>>)
  .filter((value): value is OperationSchema => Array.isArray(value) && value[0] === 9)
  .map(([, , name, traits, input]) => {
    const [method, target] = traits.http
    return { name, method, target, members: membersOf(input()) }
  })

function membersOf([, , , , names, schemas, required = 0]: StructureSchema): Member[] {
  return names.map((name, i) => {
    const schema = schemas[i]
    const traits = Array.isArray(schema) && typeof schema[1] === 'object' ? (schema[1] as Record<string, string>) : {}
    return {
      name,
      query: traits['httpQuery'],
      header: traits['httpHeader']?.toLowerCase(),
      required: i < required,
    }
  })
}

const router = createRouter(operations, absentOperations)

function routed({ name, method, target, members }: Modelled): string {
  const atService = ['ListBuckets', 'ListDirectoryBuckets'].includes(name)
  const path = atService || name === 'WriteGetObjectResponse' ? target : `/bkt${target.replace('{Key+}', 'k')}`
  const required = members.filter((member) => member.required)
  const query = required.flatMap((member) => (member.query === undefined ? [] : [`${member.query}=1`])).join('&')
  const headers = required.flatMap(({ header }) => (header === undefined ? [] : [header, '1']))
  const request = parseRequest(
    {
      id: 'r',
      method,
      target: query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`,
      rawHeaders: ['host', 's3.test', ...headers],
      remoteAddress: '',
      body: { length: 0, all: async () => new Uint8Array(), stream: () => (async function* () {})() },
      signal: new AbortController().signal,
    },
    { virtualHostDomains: [] },
  )
  if (request instanceof S3Error) throw request
  const route = router.route(request)
  return route instanceof S3Error ? `${route.code}: ${route.message}` : route.operation.name
}

test('is there', () => expect(modelled.length).toBeGreaterThan(100))

describe.each(modelled)('$name', (operation) => {
  const record = operations.find(({ name }) => name === operation.name)

  test(record === undefined ? 'is refused as what it is' : 'is routed to its record', () => {
    const expected =
      record === undefined ? `NotImplemented: The operation ${operation.name} is not implemented` : operation.name
    expect(routed(operation)).toBe(expected)
  })

  if (record !== undefined) {
    test('has no parameter that the record does not read', () => {
      const parameters = operation.members.flatMap(({ query }) => query ?? [])
      const read = new Set([...record.parameters, ...record.query])
      expect(parameters.filter((name) => !read.has(name))).toEqual([])
    })

    test('has no header that is neither honoured, nor refused, nor of those that describe the request', () => {
      const headers = operation.members.flatMap(({ header }) => header ?? [])
      expect(
        headers.filter((name) => !record.headers.includes(name) && !isRuled(name) && !isDescription(name)),
      ).toEqual([])
    })
  }
})

function isRuled(header: string): boolean {
  return headerRules.some(({ name }) => (name.endsWith('*') ? header.startsWith(name.slice(0, -1)) : header === name))
}

/** Read where they matter (by the body's reader, the attributes' reader, the gateway), and harmless elsewhere. */
const descriptions = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'expires',
  'x-amz-expected-bucket-owner',
  'x-amz-sdk-checksum-algorithm',
  // These ask for more in an answer; there is nothing more to tell.
  'x-amz-optional-object-attributes',
])

function isDescription(header: string): boolean {
  return descriptions.has(header) || /^x-amz-checksum-(crc|sha|md5|xxhash)/.test(header)
}
