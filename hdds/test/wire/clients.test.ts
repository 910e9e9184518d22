/** The block client between processes, and the directory of the datanodes that it talks to. */

import type { Address, Env } from '@o3/common/env'
import { trustedClient } from '@o3/common/rpc'
import type { RpcServer } from '@o3/common/rpc'
import { describe, expect, test } from 'vitest'
import { BlockClient, DatanodeDirectory, RemoteDatanode, addressText, parseAddress } from '../../src/client/client.ts'
import { Heartbeating } from '../../src/reconcilers/heartbeat.ts'
import { ScmCommands } from '../../src/reconcilers/scm-commands.ts'
import { nullLogger } from '@o3/common/logger'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { Machine, smallConfig } from '../harness/machine.ts'
import { ScriptedScm } from '../harness/scripted-scm.ts'
import { startServer } from '../harness/wire.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })
const bytes = patternOf(1, 2 * MiB)

describe('an address', () => {
  test.each([
    ['dn-1.example:9861', { kind: 'tcp', host: 'dn-1.example', port: 9861 }],
    ['127.0.0.1:1', { kind: 'tcp', host: '127.0.0.1', port: 1 }],
    ['[::1]:65535', { kind: 'tcp', host: '::1', port: 65_535 }],
  ] as const)('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
    expect(addressText(address)).toBe(text)
  })

  test.each(['', 'local', 'host', 'host:', ':1', 'host:0', 'host:65536', '::1:80', '[::1]', 'a:b:1'])(
    '%j is none',
    (text) => {
      expect(() => parseAddress(text)).toThrow('no address')
    },
  )
})

interface Scene {
  readonly machine: Machine
  readonly scm: ScriptedScm
  readonly directory: DatanodeDirectory
  readonly blocks: BlockClient
  readonly env: Env
  /** Serves the datanode at one more address. */
  serve(port: number): Promise<RpcServer<unknown>>
}

/** A datanode of one machine and a block client of another; where the datanode is, the test says. */
async function withClient(script: (scene: Scene) => Promise<void>): Promise<void> {
  const machine = new Machine({ seed: 1 })
  const env = machine.simulation.node('gateway').boot()
  await machine.run(async () => {
    await machine.start()
    const scm = new ScriptedScm()
    const directory = new DatanodeDirectory({ env, authentication: trustedClient })
    const blocks = new BlockClient({ env, locations: scm, datanode: directory.find })
    const servers = new Map<RpcServer<unknown>, unknown>()
    const serve = async (port: number): Promise<RpcServer<unknown>> => {
      const address: Address = { kind: 'tcp', host: 'dn', port }
      const { server } = await startServer(machine.datanode, machine.env, address, {})
      servers.set(server, machine.node.process)
      scm.addresses.set('dn-1', `dn:${port}`)
      return server
    }
    await script({ machine, scm, directory, blocks, env, serve })
    directory.close()
    for (const [server, process] of servers) if (process === machine.node.process) await server.close(0)
    await machine.datanode.close()
  })
}

async function stored(blocks: BlockClient, local: number): Promise<void> {
  const writer = await blocks.openWriter(block(local))
  await writer.write([bytes])
  await writer.commit()
}

describe('the block client', () => {
  test('asks once where a container is, and goes there over the wire', async () => {
    await withClient(async ({ blocks, scm, serve }) => {
      await serve(1)
      await stored(blocks, 1)
      await blocks.writeBlock(block(2), [bytes.subarray(0, 5_000)])
      expect(sameBytes(await collect(blocks.read(block(1), all(bytes))), bytes)).toBe(true)
      expect(sameBytes(await blocks.readSmall(block(2), all(bytes.subarray(0, 5_000))), bytes.subarray(0, 5_000))).toBe(
        true,
      )
      expect(scm.located).toEqual([1])
    })
  })

  test('finds a datanode that has moved, for every container of it at once', async () => {
    await withClient(async ({ blocks, scm, serve }) => {
      const first = await serve(1)
      for (const container of [1, 2, 3]) await blocks.writeBlock(block(1, container), [bytes.subarray(0, 100)])
      await first.close(0)
      await serve(2)
      const located = scm.located.length
      const read = blocks.read(block(1), { offset: 0, length: 100 })
      expect(sameBytes(await collect(read), bytes.subarray(0, 100))).toBe(true)
      expect(scm.located.length).toBe(located + 1)
      for (const container of [2, 3]) await blocks.readSmall(block(1, container), { offset: 0, length: 100 })
      await blocks.writeBlock(block(2, 2), [bytes.subarray(0, 100)])
      expect(scm.located.length).toBe(located + 1)
    })
  })

  test('says what the datanode said when SCM knows no other place', async () => {
    await withClient(async ({ blocks, scm, serve, machine }) => {
      await serve(1)
      await stored(blocks, 1)
      await machine.datanode.closeContainer(1)
      await rejection(blocks.writeBlock(block(2), [bytes.subarray(0, 10)]), 'Unavailable')
      await rejection(blocks.readSmall(block(9), { offset: 0, length: 1 }), 'BlockNotFound')
      scm.places = []
      await rejection(blocks.openWriter(block(3)), 'Unavailable')
    })
  })

  test('makes a small write of unknown outcome once more', async () => {
    await withClient(async ({ blocks, serve, machine }) => {
      await serve(1)
      await blocks.writeBlock(block(1), [bytes.subarray(0, 100)])
      const content = bytes.subarray(0, 3_000)
      // The answer does not come back, and the process ends; the caller hears of it when there is a new one.
      const cancel = machine.simulation.network.block('dn', 'gateway')
      const writing = blocks.writeBlock(block(2), [content])
      await machine.simulation.clock.sleep(50)
      machine.node.kill()
      await machine.start()
      expect(await machine.datanode.listBlocks(1)).toHaveLength(2)
      await serve(1)
      cancel()
      expect((await writing).lengthBytes).toBe(3_000)
      expect(await machine.datanode.listBlocks(1)).toHaveLength(2)
    })
  })
})

describe('the directory', () => {
  test('has one client for each datanode, until it moves', async () => {
    await withClient(async ({ directory, machine, env }) => {
      const first = directory.find('dn-1', 'dn:1')
      expect(first).toBeInstanceOf(RemoteDatanode)
      expect(directory.find('dn-1', 'dn:1')).toBe(first)
      expect(directory.find('dn-2', 'dn:1')).not.toBe(first)
      expect(directory.find('dn-1', 'dn:2')).not.toBe(first)
      expect(directory.find('dn-3', undefined)).toBeUndefined()
      const local = machine.datanode
      const withLocal = new DatanodeDirectory({ env, authentication: trustedClient, local })
      expect(withLocal.find('dn-1', undefined)).toBe(local)
      expect(withLocal.find('dn-1', 'dn:1')).toBe(local)
    })
  })

  test('lets the calls of a datanode that was forgotten end', async () => {
    await withClient(async ({ env, serve, machine }) => {
      await serve(1)
      const directory = new DatanodeDirectory({ env, authentication: trustedClient, maxDatanodes: 1 })
      const datanode = directory.find('dn-1', 'dn:1')!
      const writer = await datanode.openWriter(block(1))
      await writer.write([bytes])
      const begun = await machine.datanode.openWriter(block(2))
      await begun.write([bytes])
      await begun.commit()
      const pieces = datanode.read(block(2), all(bytes))[Symbol.asyncIterator]()
      const first = await pieces.next()
      directory.find('dn-2', 'dn:2')
      await writer.commit()
      let length = (first.value as Uint8Array).length
      for (let step = await pieces.next(); step.done !== true; step = await pieces.next()) length += step.value.length
      expect(length).toBe(bytes.length)
      // It can still be called by whoever has it.
      expect(sameBytes(await collect(datanode.read(block(1), all(bytes))), bytes)).toBe(true)
      directory.close()
      await rejection(directory.find('dn-2', 'dn:1')!.createContainer(1), 'Closed')
    })
  })

  test('closes its connections with it', async () => {
    await withClient(async ({ directory, serve }) => {
      await serve(1)
      const datanode = directory.find('dn-1', 'dn:1')!
      const writer = await datanode.openWriter(block(1))
      directory.close()
      directory.close()
      await rejection(writer.write([bytes]), 'Unavailable')
      await rejection(datanode.createContainer(1), 'Closed')
    })
  })
})

describe('the talk with an SCM in another process', () => {
  test('registers the address, and registers again when SCM has been started anew', async () => {
    await withClient(async ({ machine }) => {
      const scm = new ScriptedScm()
      const { env, datanode } = machine
      const heartbeating = new Heartbeating({
        datanode,
        member: { id: 'scm', scm },
        commands: new ScmCommands({ env, datanode, log: nullLogger }),
        address: 'dn:1',
        config: smallConfig,
        process: 'p',
        log: nullLogger,
      })
      const { signal } = new AbortController()
      await heartbeating.run(signal)
      await heartbeating.run(signal)
      expect(scm.registrations).toMatchObject([{ id: 'dn-1', address: 'dn:1' }])
      // It knows nobody, and says so until somebody registers: in the same round.
      scm.commands = [{ kind: 'register' }]
      await heartbeating.run(signal)
      expect(scm.registrations).toMatchObject([{}, { id: 'dn-1', address: 'dn:1' }])
      await heartbeating.run(signal)
      await heartbeating.run(signal)
      expect(scm.registrations).toHaveLength(2)
      expect(scm.heartbeats.at(-1)).toMatchObject({ full: false })
    })
  })
})
