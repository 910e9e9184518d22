/** The AWS SDK as an application sets it that would rather wait than fail: it tries again until its budget is spent. */

import { S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import type {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3ClientConfig,
} from '@aws-sdk/client-s3'
import type { Server } from '../harness/server.ts'

/** Of one request with all its attempts. A cluster that lost a process is whole again long before. */
export const requestBudgetMs = 60_000
/** Of one attempt. The gateway has deadlines of its own, which are shorter. */
const attemptMs = 20_000
const longestPauseMs = 1_000

export type S3Command = PutObjectCommand | GetObjectCommand | DeleteObjectCommand | ListObjectsV2Command

export function patientClient(server: Pick<Server, 'endpoint' | 'accessKey' | 'secretKey'>, sockets: number): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    retryStrategy: patience,
    requestHandler: {
      requestTimeout: attemptMs,
      connectionTimeout: 5_000,
      httpsAgent: {},
      httpAgent: { maxSockets: sockets },
    },
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
  })
}

type RetryStrategy = Extract<NonNullable<S3ClientConfig['retryStrategy']>, { acquireInitialRetryToken: unknown }>
type RetryToken = Awaited<ReturnType<RetryStrategy['acquireInitialRetryToken']>>

/**
 * The SDK's own strategy gives up after a number of attempts, and after many of all clients together. It is the SDK that
 * says what may be tried again at all.
 */
const patience: RetryStrategy = {
  acquireInitialRetryToken: async () => new Patience(performance.now() + requestBudgetMs, 0),
  refreshRetryTokenForRetry: async (token, { errorType }) => {
    if (!(token instanceof Patience) || errorType === 'CLIENT_ERROR') throw new Error('not to be tried again')
    if (performance.now() > token.untilMs) throw new Error('the budget is spent')
    return new Patience(token.untilMs, token.count + 1)
  },
  recordSuccess: () => {},
}

class Patience implements RetryToken {
  readonly untilMs: number
  readonly count: number

  constructor(untilMs: number, count: number) {
    this.untilMs = untilMs
    this.count = count
  }

  getRetryCount(): number {
    return this.count
  }

  /** Grows, and differs from client to client so that they do not come all at once. */
  getRetryDelay(): number {
    if (this.count === 0) return 0
    return Math.min(longestPauseMs, 50 * 2 ** Math.min(this.count, 10)) * (0.5 + Math.random() / 2)
  }
}

/**
 * Tells of each attempt: an attempt that got no answer may have been done or not, and may yet be done while the next one is
 * on its way. So each is an operation of its own.
 */
export function watchAttempts(command: S3Command, watch: <T>(attempt: () => Promise<T>) => Promise<T>): void {
  const watching =
    <Args, Result>(next: (args: Args) => Promise<Result>) =>
    (args: Args): Promise<Result> =>
      watch(() => next(args))
  // The stacks differ by the type of the output only, which nobody looks at here.
  const { middlewareStack } = command as PutObjectCommand
  middlewareStack.addRelativeTo(watching, {
    name: 'watchAttempts',
    relation: 'after',
    toMiddleware: 'retryMiddleware',
  })
}

/** An error that is an answer of the service about the state of the key, and not about its own. */
export function isAnswer(error: unknown): error is S3ServiceException {
  return error instanceof S3ServiceException && (error.$metadata.httpStatusCode ?? 500) < 500
}

/** Nothing was sent, so nothing was done. */
export function wasNotSent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
}
