/**
 * From a request to the one operation that it means. The tables are made from the operations' records and from the list
 * of those that are absent; nothing falls through: a parameter that means something to S3 is part of the operation that
 * was chosen, or the request is refused.
 */

import { invalidRequest, S3Error } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import type { Level, Operation, OperationAddress } from '../operations/operation.ts'

/** An operation with what dispatch needs of it at hand. */
export interface Route {
  readonly operation: Operation
  readonly honoured: ReadonlySet<string>
  readonly parameters: ReadonlySet<string>
}

export interface Router {
  /** `NotImplemented`, `MethodNotAllowed`, or `InvalidRequest` for parameters that exclude one another. */
  route(request: S3Request): Route | S3Error
}

/** What a request with this method and level may mean, those that ask for most first. */
type Candidates = readonly Candidate[]

interface Candidate {
  readonly address: OperationAddress
  /** Undefined for an absent operation. */
  readonly route: Route | undefined
}

/** These choose nothing by themselves, but a request that names one of them means that one version or part and no other. */
const bindingParameters = ['versionId', 'partNumber', 'uploadId']

export function createRouter(operations: readonly Operation[], absent: readonly OperationAddress[]): Router {
  const candidates = candidateTable(operations, absent)
  const meaningful = new Set([...bindingParameters, ...[...operations, ...absent].flatMap(({ query }) => query)])
  // These tell two absent operations apart and are common words: alone they mean nothing.
  for (const name of ['id', 'annotationName']) meaningful.delete(name)
  const absentByName = new Map(absent.map((address) => [address.name, address]))

  return {
    route(request) {
      const level = levelOf(request)
      const possible = candidates.get(`${request.method} ${level}`)
      const chosen = possible?.find(({ address }) => fits(address, request))
      if (chosen === undefined) return methodNotAllowed(candidates, request, level)
      // What Amazon's SDKs say they mean; for ListDirectoryBuckets nothing else tells it from ListBuckets.
      const hinted = absentByName.get(request.query.get('x-id') ?? '')
      if (hinted !== undefined) return notImplemented(hinted)
      if (chosen.route === undefined) return notImplemented(chosen.address)
      const stray = strayParameter(chosen.route, request, meaningful)
      return stray === undefined ? chosen.route : refuseStray(stray, chosen.route, candidates, level)
    },
  }
}

export function levelOf({ bucket, key }: Pick<S3Request, 'bucket' | 'key'>): Level {
  if (key !== undefined) return 'object'
  return bucket === undefined ? 'service' : 'bucket'
}

function candidateTable(
  operations: readonly Operation[],
  absent: readonly OperationAddress[],
): ReadonlyMap<string, Candidates> {
  const table = new Map<string, Candidate[]>()
  const all: Candidate[] = [
    ...operations.map((operation) => ({ address: operation, route: routeOf(operation) })),
    ...absent.map((address) => ({ address, route: undefined })),
  ]
  for (const candidate of all) {
    const key = `${candidate.address.method} ${candidate.address.level}`
    table.set(key, [...(table.get(key) ?? []), candidate])
  }
  for (const row of table.values()) row.sort((a, b) => demands(b.address) - demands(a.address))
  return table
}

function routeOf(operation: Operation): Route {
  return {
    operation,
    honoured: new Set(operation.headers),
    parameters: new Set([...operation.query, ...operation.parameters]),
  }
}

function demands({ query, header }: OperationAddress): number {
  return query.length + (header === undefined ? 0 : 1)
}

function fits({ query, header }: OperationAddress, request: S3Request): boolean {
  for (const name of query) if (!request.query.has(name)) return false
  return header === undefined || request.headers.has(header)
}

function strayParameter(
  { parameters }: Route,
  request: S3Request,
  meaningful: ReadonlySet<string>,
): string | undefined {
  for (const { name } of request.parameters) {
    if (meaningful.has(name) && !parameters.has(name)) return name
  }
  return undefined
}

/**
 * A sub-resource was named that the chosen operation knows nothing of. Where another method has it at this level, S3
 * says that this method has not; where it is half of an operation, that they do not go together.
 */
function refuseStray(
  stray: string,
  { operation }: Route,
  candidates: ReadonlyMap<string, Candidates>,
  level: Level,
): S3Error {
  if (operation.query.length > 0) {
    return invalidRequest(`Conflicting query string parameters: ${operation.query.join(', ')}, ${stray}`)
  }
  if (bindingParameters.includes(stray)) {
    return invalidRequest(`The query string parameter ${stray} means nothing to ${operation.name} as it was sent`)
  }
  const elsewhere = [...candidates]
    .filter(([key, row]) => key.endsWith(` ${level}`) && row.some(({ address }) => address.query.includes(stray)))
    .map(([key]) => key.slice(0, key.indexOf(' ')))
  return elsewhere.length > 0
    ? new S3Error('MethodNotAllowed', { elements: { ResourceType: stray }, headers: { allow: elsewhere.join(', ') } })
    : new S3Error('NotImplemented', { message: `The sub-resource ${stray} is not implemented at this level` })
}

function notImplemented({ name }: OperationAddress): S3Error {
  return new S3Error('NotImplemented', { message: `The operation ${name} is not implemented` })
}

function methodNotAllowed(candidates: ReadonlyMap<string, Candidates>, request: S3Request, level: Level): S3Error {
  const allowed = [...candidates.keys()].filter((key) => key.endsWith(` ${level}`)).map((key) => key.split(' ')[0])
  return new S3Error('MethodNotAllowed', {
    elements: { Method: request.method },
    headers: { allow: allowed.join(', ') },
  })
}
