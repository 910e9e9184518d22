/**
 * Structured logs. A service takes a `Logger`; only composition makes one. Lines are JSON objects with `level`, `time`
 * (milliseconds since the epoch), `message` and the given fields; an error goes into the field `error`.
 */

import { pino, stdSerializers } from 'pino'
import type { Clock } from '../env/env.ts'
import type { Logger, LogLevel } from './logger.ts'
import { prettyLine } from './pretty.ts'
import { openSink } from './sink.ts'
import type { LogDestination } from './sink.ts'

export { Secret } from './secret.ts'
export { logLevels, nullLogger } from './logger.ts'
export type { LogFields, Logger, LogLevel } from './logger.ts'
export type { LogDestination } from './sink.ts'

/** The logger that composition owns. */
export interface RootLogger extends Logger {
  /** Resolves when every line logged before is written, or cannot be. The last step of a stop. */
  flush(): Promise<void>
}

export interface LoggerOptions {
  readonly level: LogLevel
  readonly destination: LogDestination
  readonly clock: Pick<Clock, 'wallMs' | 'after'>
  /** `json` for machines (the default), `pretty` for a person's terminal. */
  readonly format?: 'json' | 'pretty'
}

/** Lines not yet written when the process is killed are lost; on an ordinary exit they are not. */
export function createLogger(options: LoggerOptions): RootLogger {
  const { clock } = options
  const sink = openSink(options.destination, clock)
  const write =
    options.format === 'pretty' ? (line: string) => sink.write(prettyLine(line)) : (line: string) => sink.write(line)
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      errorKey: 'error',
      serializers: { error: stdSerializers.err },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":${clock.wallMs()}`,
    },
    { write },
  )
  const bound = (level: 'debug' | 'info' | 'warn' | 'error') => logger[level].bind(logger) as Logger['info']
  return {
    debug: bound('debug'),
    info: bound('info'),
    warn: bound('warn'),
    error: bound('error'),
    child: (fields) => logger.child(fields),
    flush: () => sink.flush(),
  }
}
