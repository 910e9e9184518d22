/** One line per request, for those who want it. A line costs 4 µs, a tenth of a small request, so the default is few. */

import type { Logger } from '@o3/common/logger'
import type { Exchange } from './exchange.ts'
import type { FinishedRequest } from './request-metrics.ts'

/** `errors`: answers of 500 and above, and responses that broke off. */
export type AccessLogLevel = 'all' | 'errors' | 'off'

export type AccessLog = (exchange: Exchange, finished: FinishedRequest) => void

export function accessLog(log: Logger, level: AccessLogLevel): AccessLog {
  if (level === 'off') return () => undefined
  return (exchange, finished) => {
    const failed = finished.status >= 500 || finished.status === 0
    if (level === 'errors' && !failed) return
    const line = {
      request: exchange.id,
      remote: exchange.remoteAddress,
      // A presigned URL carries its signature in the query: the path is enough to find a request by.
      path: exchange.target.split('?', 1)[0],
      ...finished,
    }
    if (failed) log.warn(line, 'request failed')
    else log.info(line, 'request')
  }
}
