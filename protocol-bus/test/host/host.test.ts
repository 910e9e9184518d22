import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Mount, PluginServices } from '../../src/api/api.ts'
import { loadPlugin, startHost } from '../../src/host/host.ts'
import type { AnyPlugin, HostOptions } from '../../src/host/host.ts'
import { failingStore } from '../../src/testing/testing.ts'
import { env } from './listening.ts'

const services: PluginServices = {
  ...env,
  store: failingStore(() => new StoreError('Internal', 'not used')),
  identities: { lookup: () => undefined },
  log: nullLogger,
  metrics: createMetrics(),
}

const http = (port: number): Mount => ({
  kind: 'http',
  name: 'http',
  host: '127.0.0.1',
  port,
  handle: async () => ({ status: 200, headers: [] }),
})

function pluginWith(
  given: Partial<AnyPlugin>,
  mounts: readonly Mount[] = [],
  closed: () => void = () => {},
): AnyPlugin {
  const create = () => ({
    mounts,
    close: async () => closed(),
  })
  return { name: 'test', needs: [], config: () => ({}), create, ...given }
}

const start = (plugins: readonly AnyPlugin[], options: Partial<HostOptions> = {}) =>
  startHost({ env, services, plugins: plugins.map((plugin) => ({ plugin, config: {} })), ...options })

describe('a plugin', () => {
  test('gets what it needs, and reaches nothing else', async () => {
    let given: object = {}
    const host = await start([
      pluginWith({
        needs: ['store', 'clock'],
        create(all) {
          given = all
          return { mounts: [], close: () => Promise.resolve() }
        },
      }),
    ])
    expect(Object.keys(given).toSorted()).toEqual(['clock', 'store'])
    expect(Object.getPrototypeOf(given)).toBeNull()
    expect(Object.isFrozen(given)).toBe(true)
    await host.stop(0)
  })

  test('reads its own configuration', async () => {
    let seen: unknown
    const plugin = pluginWith({
      config: (raw) => ({ port: Number(raw['port']) + 1 }),
      create(_, config) {
        seen = config
        return { mounts: [], close: () => Promise.resolve() }
      },
    })
    const host = await startHost({ env, services, plugins: [{ plugin, config: { port: 1 } }] })
    expect(seen).toEqual({ port: 2 })
    await host.stop(0)
  })

  test('that fails to start takes down what had started', async () => {
    const closed: string[] = []
    const good = pluginWith({ name: 'good' }, [http(0)], () => closed.push('good'))
    const bad = pluginWith({
      create() {
        throw new StoreError('InvalidArgument', 'no')
      },
    })
    await expect(start([good, bad])).rejects.toThrow(new StoreError('InvalidArgument', 'no'))
    expect(closed).toEqual(['good'])
  })

  test('on a port that is in use is refused in one sentence, and is closed', async () => {
    const first = await start([pluginWith({}, [http(0)])])
    onTestFinished(() => first.stop(0))
    const { port } = first.mounts[0]!
    const closed: string[] = []
    const second = start([pluginWith({}, [http(0), http(port)], () => closed.push('second'))])
    await expect(second).rejects.toMatchObject({ code: 'Busy', message: `port ${port} on 127.0.0.1 is in use` })
    expect(closed).toEqual(['second'])
  })

  test('on an address that cannot be is refused', async () => {
    const mount: Mount = { ...http(0), host: '203.0.113.1' }
    await expect(start([pluginWith({}, [mount])])).rejects.toMatchObject({ code: 'InvalidArgument' })
  })

  test('is closed after its listeners, the last one first, also when one fails', async () => {
    const order: string[] = []
    const failing = pluginWith({
      name: 'failing',
      create: () => ({
        mounts: [],
        close: async () => {
          order.push('failing')
          throw new Error('cannot close')
        },
      }),
    })
    const host = await start([
      pluginWith({ name: 'first' }, [], () => order.push('first')),
      failing,
      pluginWith({ name: 'last' }, [http(0)], () => order.push('last')),
    ])
    await host.stop(0)
    await host.stop(0)
    expect(order).toEqual(['last', 'failing', 'first'])
  })
})

describe('a framed mount', () => {
  const echo: Mount = {
    kind: 'framed',
    name: 'framed',
    host: '127.0.0.1',
    port: 0,
    async serve(connection) {
      for await (const piece of connection.received) await connection.send([piece])
    },
  }

  test('serves connections, and ends those that are open when it stops', async () => {
    const host = await start([pluginWith({}, [echo])])
    const { port, kind } = host.mounts[0]!
    expect(kind).toBe('framed')
    const connection = await env.network.connect({ kind: 'tcp', host: '127.0.0.1', port })
    await connection.send([Buffer.from('hello')])
    const received = connection.received[Symbol.asyncIterator]()
    expect(Buffer.from((await received.next()).value as Uint8Array).toString()).toBe('hello')
    await host.stop(20)
    const outcome = await received.next().then(
      ({ done }) => done,
      () => true,
    )
    expect(outcome).toBe(true)
    await connection.close()
    await expect(env.network.connect({ kind: 'tcp', host: '127.0.0.1', port })).rejects.toThrow()
  })

  test('closes a connection whose service fails', async () => {
    const failing: Mount = { ...echo, serve: () => Promise.reject(new Error('a bug')) }
    const host = await start([pluginWith({}, [failing])])
    onTestFinished(() => host.stop(0))
    const { port } = host.mounts[0]!
    const connection = await env.network.connect({ kind: 'tcp', host: '127.0.0.1', port })
    expect((await connection.received[Symbol.asyncIterator]().next()).done).toBe(true)
    await connection.close()
  })
})

describe('a plugin is loaded', () => {
  async function file(source: string): Promise<{ directory: string; name: string }> {
    const directory = await mkdtemp(join(tmpdir(), 'plugin-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'plugin.mjs'), source)
    return { directory, name: './plugin.mjs' }
  }
  const body =
    "{ name: 'mine', needs: ['log'], config: () => 1, create: () => ({ mounts: [], close: async () => {} }) }"

  test.each([`export const plugin = ${body}`, `export default ${body}`])('by its path: %s', async (source) => {
    const { directory, name } = await file(source)
    expect(await loadPlugin(name, directory)).toMatchObject({ name: 'mine', needs: ['log'] })
    expect(await loadPlugin(join(directory, name), '/')).toMatchObject({ name: 'mine' })
  })

  test.each([
    ['export const other = 1', 'neither `plugin` nor a default'],
    [`export const plugin = { ...${body}, name: '' }`, 'no name'],
    [`export const plugin = { ...${body}, create: 1 }`, '`create`'],
    [`export const plugin = { ...${body}, config: 1 }`, '`config`'],
    [`export const plugin = { ...${body}, needs: 'log' }`, '`needs`'],
    [`export const plugin = { ...${body}, needs: ['disk'] }`, 'needs disk'],
    ['this is no module', 'cannot be loaded'],
  ])('unless it is none: %s', async (source, reason) => {
    const { directory, name } = await file(source)
    const message = expect.stringContaining(reason)
    await expect(loadPlugin(name, directory)).rejects.toMatchObject({ code: 'InvalidArgument', message })
  })

  test('by the name of its package', async () => {
    await expect(loadPlugin('@o3/there-is-no-such-package', '/')).rejects.toMatchObject({ code: 'InvalidArgument' })
    await expect(loadPlugin('@o3/common/errors', '/')).rejects.toThrow(/is no plugin/)
  })
})
