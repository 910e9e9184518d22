/** What is counted of requests, by operation. The instruments are looked up once; a request pays a few stores. */

import type { Counter, Family, Histogram, Metrics } from '@o3/common/metrics'
import type { Operation } from '../operations/operation.ts'

export interface OperationMetrics {
  /** `failed` is the server's fault (5xx), `refused` the request's (4xx, and 501). */
  readonly answered: Readonly<Record<'ok' | 'refused' | 'failed', Counter>>
  /** Until the head of the answer; the body of a GET streams on. */
  readonly seconds: Histogram
  readonly receivedBytes: Counter
  readonly sentBytes: Counter
}

export interface RequestMetrics {
  /** Undefined: requests that mean no operation, or never got so far. */
  of(operation: Operation | undefined): OperationMetrics
  error(code: string): void
}

export function requestMetrics(metrics: Metrics, operations: readonly Operation[]): RequestMetrics {
  const families = {
    answered: metrics.counters({
      name: 'o3_s3_requests_total',
      help: 'Requests answered, by operation and outcome.',
      labelNames: ['operation', 'outcome'],
    }),
    seconds: metrics.histograms({
      name: 'o3_s3_request_seconds',
      help: 'Time from a parsed request to the head of its answer.',
      labelNames: ['operation'],
    }),
    received: metrics.counters({
      name: 'o3_s3_received_bytes_total',
      help: 'Bytes of request bodies as announced, framing included.',
      labelNames: ['operation'],
    }),
    sent: metrics.counters({
      name: 'o3_s3_sent_bytes_total',
      help: 'Bytes of response bodies as announced.',
      labelNames: ['operation'],
    }),
  }
  const errors: Family<'code', Counter> = metrics.counters({
    name: 'o3_s3_errors_total',
    help: 'Errors answered, by S3 error code.',
    labelNames: ['code'],
  })
  const open = (operation: string): OperationMetrics => ({
    answered: {
      ok: families.answered.with({ operation, outcome: 'ok' }),
      refused: families.answered.with({ operation, outcome: 'refused' }),
      failed: families.answered.with({ operation, outcome: 'failed' }),
    },
    seconds: families.seconds.with({ operation }),
    receivedBytes: families.received.with({ operation }),
    sentBytes: families.sent.with({ operation }),
  })
  const byOperation = new Map(operations.map((operation) => [operation, open(operation.name)]))
  const none = open('none')
  return {
    of: (operation) => (operation === undefined ? none : (byOperation.get(operation) ?? none)),
    error: (code) => errors.with({ code }).add(),
  }
}
