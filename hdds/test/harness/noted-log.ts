import type { Logger } from '@o3/common/logger'

/** A logger that keeps the messages of the levels that call for a person. */
export function notedLog(): { readonly log: Logger; readonly alarms: string[] } {
  const alarms: string[] = []
  const note = (_: unknown, message: string): void => void alarms.push(message)
  const log: Logger = { debug: () => {}, info: () => {}, warn: note, error: note, child: () => log }
  return { log, alarms }
}
