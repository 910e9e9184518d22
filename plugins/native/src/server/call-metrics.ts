/** What is counted of calls, by method. */

import type { Counter, Histogram, Metrics } from '@o3/common/metrics'
import { calls } from '../core/calls.ts'
import type { Method } from '../core/calls.ts'

export interface MethodMetrics {
  readonly answered: Counter
  /** Until the answer begins; the body of a get streams on. */
  readonly seconds: Histogram
}

export interface CallMetrics {
  of(method: Method): MethodMetrics
  error(code: string): void
}

export function callMetrics(metrics: Metrics): CallMetrics {
  const answered = metrics.counters({
    name: 'o3_native_calls_total',
    help: 'Calls that did not fail, by method.',
    labelNames: ['method'],
  })
  const seconds = metrics.histograms({
    name: 'o3_native_call_seconds',
    help: 'Time from a call to the beginning of its answer.',
    labelNames: ['method'],
  })
  const errors = metrics.counters({
    name: 'o3_native_errors_total',
    help: 'Errors answered, by code.',
    labelNames: ['code'],
  })
  const methods = Object.fromEntries(
    Object.keys(calls).map((method) => [
      method,
      { answered: answered.with({ method }), seconds: seconds.with({ method }) },
    ]),
  ) as Record<Method, MethodMetrics>
  return { of: (method) => methods[method], error: (code) => errors.with({ code }).add() }
}
