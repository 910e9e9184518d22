/** What every process of O3 has, whatever it serves: a directory of its own, a log, parts in order, and a way to fail. */

import { join } from 'node:path'
import type { Env } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { Lifecycle } from '@o3/common/lifecycle'
import type { StopFailure } from '@o3/common/lifecycle'
import { createLogger } from '@o3/common/log'
import type { RootLogger } from '@o3/common/log'
import { createMetrics } from '@o3/common/metrics'
import type { Metrics } from '@o3/common/metrics'
import { addProcessMetrics } from '@o3/common/metrics/process'
import type { LogSettings, StopSettings } from '../settings.ts'

/** What the parts of a process share. */
export interface ProcessParts {
  readonly env: Env
  readonly log: RootLogger
  readonly lifecycle: Lifecycle
  readonly metrics: Metrics
}

export interface RunningProcess<Facts> {
  readonly facts: Facts
  /** Settles when something failed that the process cannot go on without; the caller stops it then. */
  readonly failed: Promise<Error>
  /** Drains and stops everything, in order, each part within the configured deadline. Idempotent. */
  stop(): Promise<readonly StopFailure[]>
}

/** The directory of a process, which nobody else has until it is released. */
export interface ClaimedDirectory {
  readonly path: string
  release(): Promise<void>
}

export interface ProcessOptions<Claimed extends ClaimedDirectory> {
  readonly log: LogSettings
  readonly stop: StopSettings
  /** Called at every named fault site; crash tests kill the process in it. */
  readonly onSite?: ((site: string) => void) | undefined
  /** Takes the directory and looks whether a start can succeed, before anything is written to the log. */
  readonly claim: (env: Env) => Promise<Claimed>
}

/** Where the log goes: a path, or `-` for standard error. */
export function logFileOf(directory: string, { file }: LogSettings): string {
  return file ?? join(directory, 'o3.log')
}

/**
 * Claims the directory, opens the log and runs `start`, which brings the parts up in order. When it fails, what had
 * started is stopped, and its error is thrown.
 */
export async function startProcess<Claimed extends ClaimedDirectory, Facts>(
  options: ProcessOptions<Claimed>,
  start: (parts: ProcessParts, claimed: Claimed) => Promise<Facts>,
): Promise<RunningProcess<Facts>> {
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
  const env = nodeEnv({
    ...(options.onSite === undefined ? {} : { onSite: options.onSite }),
    onTaskFailure: (name, error) => fail(new Error(`the task ${name} failed`, { cause: error })),
  })
  const claimed = await options.claim(env)
  const logFile = logFileOf(claimed.path, options.log)
  const log = createLogger({
    level: options.log.level,
    format: options.log.format,
    destination: logFile === '-' ? 'stderr' : { path: logFile },
    clock: env.clock,
  })
  const lifecycle = new Lifecycle({ clock: env.clock, log, stopDeadlineMs: options.stop.deadline })
  const stop = async (): Promise<readonly StopFailure[]> => {
    const failures = await lifecycle.stop()
    await log.flush()
    return failures
  }
  void failed.then((error) => log.error({ error }, 'the node cannot go on'))
  const metrics = createMetrics()
  try {
    await lifecycle.start('data directory', { start: () => {}, stop: () => claimed.release() })
    const removeProcessMetrics = addProcessMetrics(metrics)
    await lifecycle.start('process metrics', { start: () => {}, stop: removeProcessMetrics })
    const facts = await start({ env, log, lifecycle, metrics }, claimed)
    return { facts, failed, stop }
  } catch (error) {
    log.error({ error }, 'the node did not start')
    await stop()
    throw error
  }
}
