/** Finds a plugin by the name of its package or by its path. */

import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { StoreError } from '@o3/common/errors'
import type { Plugin, PluginServices } from '../api/api.ts'

/** A plugin whose configuration nobody has read yet. */
export type AnyPlugin = Plugin<unknown, keyof PluginServices>

const serviceNames: ReadonlySet<string> = new Set<keyof PluginServices>([
  'store',
  'identities',
  'clock',
  'random',
  'tasks',
  'log',
  'metrics',
])

/**
 * Imports a module and takes its export `plugin`, or its default export. A path is relative to `directory`. The module
 * runs with the rights of this process: configuration names it, nothing else does. `InvalidArgument` when there is no
 * such module or what it exports is no plugin.
 */
export async function loadPlugin(specifier: string, directory: string): Promise<AnyPlugin> {
  const isPath = specifier.startsWith('.') || isAbsolute(specifier)
  const target = isPath ? pathToFileURL(resolve(directory, specifier)).href : specifier
  let module: { readonly plugin?: unknown; readonly default?: unknown }
  try {
    module = (await import(target)) as typeof module
  } catch (error) {
    throw new StoreError('InvalidArgument', `the plugin ${specifier} cannot be loaded`, {
      details: { specifier },
      cause: error,
    })
  }
  return checkPlugin(module.plugin ?? module.default, specifier)
}

/** `InvalidArgument` with a sentence that says what is missing. */
export function checkPlugin(candidate: unknown, name: string): AnyPlugin {
  const fault = faultOf(candidate)
  if (fault === undefined) return candidate as AnyPlugin
  throw new StoreError('InvalidArgument', `${name} is no plugin: ${fault}`, { details: { name } })
}

function faultOf(candidate: unknown): string | undefined {
  if (typeof candidate !== 'object' || candidate === null) return 'it exports neither `plugin` nor a default'
  const plugin = candidate as Partial<Record<keyof AnyPlugin, unknown>>
  if (typeof plugin.name !== 'string' || plugin.name === '') return 'it has no name'
  if (typeof plugin.config !== 'function') return 'its `config` is no function'
  if (typeof plugin.create !== 'function') return 'its `create` is no function'
  if (!Array.isArray(plugin.needs)) return 'its `needs` is no list'
  const unknown = plugin.needs.find((need) => !serviceNames.has(String(need)))
  return unknown === undefined ? undefined : `it needs ${String(unknown)}, which is not a service`
}
