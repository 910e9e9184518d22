/** The logger's port: what services and plugins see. Pure; `log.ts` binds it to pino. */

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

/** Says nothing; for tests and for parts that were given no logger. */
export const nullLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => nullLogger,
}
