import type { LogFields, Logger } from '@o3/common/logger'

const textOf = (fields: LogFields): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? value.message : JSON.stringify(value)}`)
    .join(' ')

/** What is logged from `info` on becomes part of a story. */
export function tellingLogger(tell: (line: string) => void): Logger {
  const say = (fields: LogFields, message: string): void => tell(`${message} ${textOf(fields)}`)
  const logger: Logger = { debug: () => {}, info: say, warn: say, error: say, child: () => logger }
  return logger
}
