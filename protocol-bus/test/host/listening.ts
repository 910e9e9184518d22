/** A listener with a handler, and what it logs and counts. */

import { nodeEnv } from '@o3/common/env/node'
import type { LogFields, Logger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { Metrics } from '@o3/common/metrics'
import { onTestFinished } from 'vitest'
import type { HttpRequest, HttpResponse, Mount, PluginServices } from '../../src/api/api.ts'
import { defaultHttpLimits, startHost } from '../../src/host/host.ts'
import type { HostOptions, HttpLimits, PluginHost } from '../../src/host/host.ts'
import { RawClient } from './raw-client.ts'

export const env = nodeEnv()

export interface LogLine extends LogFields {
  readonly level: string
  readonly message: string
}

export function recordingLog(lines: LogLine[]): Logger {
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ ...fields, level, message })
  const log: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  }
  return log
}

export interface Listening {
  readonly host: PluginHost
  readonly port: number
  readonly lines: readonly LogLine[]
  readonly metrics: Metrics
  /** A connection, closed when the test is over. */
  open(): Promise<RawClient>
  stop(deadlineMs?: number): Promise<void>
}

export interface ListeningOptions {
  readonly limits?: Partial<HttpLimits>
  readonly accessLog?: HostOptions['accessLog']
  readonly refuse?: Extract<Mount, { kind: 'http' }>['refuse']
}

/** Short limits that a test meets on purpose only. */
const testLimits: Partial<HttpLimits> = { lingerMs: 300 }

export async function listenWith(
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  options: ListeningOptions = {},
): Promise<Listening> {
  const lines: LogLine[] = []
  const metrics = createMetrics()
  const { refuse } = options
  const mount: Mount = {
    kind: 'http',
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    handle,
    ...(refuse === undefined ? {} : { refuse }),
  }
  const host = await startHost({
    env,
    services: { log: recordingLog(lines), metrics } as unknown as PluginServices,
    plugins: [
      {
        plugin: {
          name: 'test',
          needs: [],
          config: () => ({}),
          create: () => ({ mounts: [mount], close: () => Promise.resolve() }),
        },
        config: {},
      },
    ],
    limits: { ...defaultHttpLimits, ...testLimits, ...options.limits },
    ...(options.accessLog === undefined ? {} : { accessLog: options.accessLog }),
  })
  const stop = (deadlineMs = 0): Promise<void> => host.stop(deadlineMs)
  onTestFinished(() => stop())
  const { port } = host.mounts[0]!
  const open = async (): Promise<RawClient> => {
    const client = await RawClient.open(port)
    onTestFinished(() => client.close())
    return client
  }
  return { host, port, lines, metrics, open, stop }
}

export function text(body: string, status = 200): HttpResponse {
  return { status, headers: ['Content-Type', 'text/plain'], body }
}

/** Waits for what must come to be; the test's timeout is the deadline. */
export async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await env.clock.sleep(2)
}
