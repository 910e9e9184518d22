/**
 * Structured logs. A service takes a `Logger`; only composition makes one. Lines are JSON objects with `level`, `time`
 * (milliseconds since the epoch), `message` and the given fields; an error goes into the field `error`.
 */

import { destination as openDestination, pino, stdSerializers } from 'pino'
import type { Clock } from '../env/env.ts'

export { Secret } from './secret.ts'
import { prettyLine } from './pretty.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const satisfies readonly LogLevel[]

/** Plain data, `Secret`s (shown as `[secret]`), and an error under `error`. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger
}

/** The logger that composition owns. */
export interface RootLogger extends Logger {
  /** Resolves when every line logged before is written. The last step of a stop. */
  flush(): Promise<void>
}

/** A function is called with each finished line, newline included, synchronously. */
export type LogDestination = 'stdout' | 'stderr' | { readonly path: string } | ((line: string) => void)

export interface LoggerOptions {
  readonly level: LogLevel
  readonly destination: LogDestination
  readonly clock: Pick<Clock, 'wallMs'>
  /** `json` for machines (the default), `pretty` for a person's terminal. */
  readonly format?: 'json' | 'pretty'
}

// A line costs 4 µs, a write system call more: lines gather until there are this many bytes, or for this long.
const batchBytes = 4096
const batchMs = 100

/** Lines not yet written when the process is killed are lost; on an ordinary exit they are not. */
export function createLogger(options: LoggerOptions): RootLogger {
  const { clock } = options
  const sink = openSink(options.destination)
  const write = options.format === 'pretty' ? (line: string) => sink.write(prettyLine(line)) : sink.write
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
    flush: sink.flush,
  }
}

/** Says nothing; for tests and for parts that were given no logger. */
export const nullLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => nullLogger,
}

interface Sink {
  readonly write: (line: string) => void
  readonly flush: () => Promise<void>
}

function openSink(target: LogDestination): Sink {
  if (typeof target === 'function') return { write: target, flush: () => Promise.resolve() }
  const dest = target === 'stdout' ? 1 : target === 'stderr' ? 2 : target.path
  const stream = openDestination({ dest, sync: false, minLength: batchBytes, periodicFlush: batchMs, mkdir: true })
  return {
    write: (line) => stream.write(line),
    flush: () =>
      new Promise((resolve, reject) => {
        stream.flush((error) => (error === undefined || error === null ? resolve() : reject(error)))
      }),
  }
}
