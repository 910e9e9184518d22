/**
 * The plugin host: makes the front ends, gives each what it declared and nothing else, opens their listeners, and takes
 * all of it down again in order.
 */

import type { Cancel, Clock, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { Mount, PluginInstance, PluginServices } from '../api/api.ts'
import type { AccessLogLevel } from './access-log.ts'
import { FramedListener } from './framed-listener.ts'
import { defaultHttpLimits } from './http-limits.ts'
import type { HttpLimits } from './http-limits.ts'
import { HttpListener } from './http-listener.ts'
import { checkPlugin } from './load-plugin.ts'
import type { AnyPlugin } from './load-plugin.ts'
import { hostInstruments } from './request-metrics.ts'
import type { HostInstruments } from './request-metrics.ts'

export { loadPlugin } from './load-plugin.ts'
export type { AnyPlugin } from './load-plugin.ts'
export { defaultHttpLimits } from './http-limits.ts'
export type { HttpLimits } from './http-limits.ts'
export type { AccessLogLevel } from './access-log.ts'

export interface PluginEntry {
  readonly plugin: AnyPlugin
  /** As it stands in the configuration; the plugin's own `config` reads it. */
  readonly config: Readonly<Record<string, unknown>>
}

export interface HostOptions {
  readonly env: Pick<Env, 'clock' | 'random' | 'network'>
  /** All that there is; each plugin gets those it needs. `log` and `metrics` are also the host's own. */
  readonly services: PluginServices
  readonly plugins: readonly PluginEntry[]
  readonly limits?: HttpLimits
  readonly accessLog?: AccessLogLevel
}

/** Where a mount is reached, with its real port. */
export interface OpenMount {
  readonly plugin: string
  readonly name: string
  readonly kind: Mount['kind']
  readonly host: string
  readonly port: number
}

export interface PluginHost {
  readonly mounts: readonly OpenMount[]
  /**
   * Stops taking requests, drains what is under way until `deadlineMs`, then cuts; closes the plugins, last first.
   * Idempotent: later calls wait for the first.
   */
  stop(deadlineMs: number): Promise<void>
}

type OpenListener = HttpListener | FramedListener

interface Started {
  readonly plugin: AnyPlugin
  readonly instance: PluginInstance
  readonly listeners: OpenListener[]
}

/** When one plugin or one listener fails to start, everything started before it is stopped, and its error is thrown. */
export async function startHost(options: HostOptions): Promise<PluginHost> {
  const started: Started[] = []
  const host: Host = {
    options,
    instruments: hostInstruments(options.services.metrics),
    limits: options.limits ?? defaultHttpLimits,
  }
  try {
    for (const entry of options.plugins) await start(host, entry, started)
  } catch (error) {
    await stopAll(host, started, 0)
    throw error
  }
  let stopping: Promise<void> | undefined
  return {
    mounts: started.flatMap(({ plugin, listeners }) => listeners.map((listener) => openMount(plugin, listener))),
    stop(deadlineMs) {
      stopping ??= stopAll(host, started, deadlineMs)
      return stopping
    },
  }
}

interface Host {
  readonly options: HostOptions
  readonly instruments: HostInstruments
  readonly limits: HttpLimits
}

/** For the last step of a stop: a plugin that does not come back must not keep the process from ending. */
const closeDeadlineMs = 5_000

async function start(host: Host, { plugin, config }: PluginEntry, started: Started[]): Promise<void> {
  checkPlugin(plugin, plugin.name)
  const { services } = host.options
  const log = services.log.child({ plugin: plugin.name })
  const instance = await plugin.create(pick({ ...services, log }, plugin.needs), plugin.config(config))
  const entry: Started = { plugin, instance, listeners: [] }
  // Before its listeners: when one of them fails, the plugin is closed too.
  started.push(entry)
  for (const mount of instance.mounts) {
    const listener = await openListener(host, mount, log)
    entry.listeners.push(listener)
    const { host: address, port } = listener.address
    log.info({ mount: mount.name, kind: mount.kind, host: address, port }, 'listening')
  }
}

function openListener(host: Host, mount: Mount, log: Logger): Promise<OpenListener> {
  const { options, instruments, limits } = host
  const { clock, random, network } = options.env
  switch (mount.kind) {
    case 'http':
      return HttpListener.open({
        mount,
        clock,
        random,
        log,
        instruments,
        limits,
        accessLog: options.accessLog ?? 'errors',
      })
    case 'framed':
      return FramedListener.open({ mount, network, clock, log, maxConnections: limits.maxConnections })
  }
}

async function stopAll(host: Host, started: readonly Started[], deadlineMs: number): Promise<void> {
  const { clock } = host.options.env
  await Promise.all(started.flatMap(({ listeners }) => listeners.map((listener) => listener.stop(deadlineMs))))
  for (const { plugin, instance } of started.toReversed()) {
    try {
      await closeWithin(clock, plugin.name, instance)
    } catch (error) {
      host.options.services.log.error({ plugin: plugin.name, error }, 'a plugin failed to close')
    }
  }
}

async function closeWithin(clock: Clock, name: string, instance: PluginInstance): Promise<void> {
  let cancel: Cancel | undefined
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(closeDeadlineMs, () => reject(new StoreError('DeadlineExceeded', `${name} does not close`)))
  })
  try {
    await Promise.race([instance.close(), late])
  } finally {
    cancel?.()
  }
}

/** What a plugin reaches is this object: no prototype, nothing that it did not ask for. */
function pick(services: PluginServices, needs: readonly (keyof PluginServices)[]): PluginServices {
  const picked = Object.create(null) as Record<string, unknown>
  for (const need of needs) {
    const service = services[need]
    if (service === undefined) throw new StoreError('InvalidArgument', `there is no ${need} to give`)
    picked[need] = service
  }
  return Object.freeze(picked) as unknown as PluginServices
}

function openMount(plugin: AnyPlugin, listener: OpenListener): OpenMount {
  const { name, kind } = listener.mount
  return { plugin: plugin.name, name, kind, ...listener.address }
}
