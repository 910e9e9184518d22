/** The secret keys of SCM, in virtual time. */

import type { SimulatedStore as Machine } from '@o3/ratis/testing'
import { SimulatedStore } from '@o3/ratis/testing'
import { RpcServer, GroupClient, trustedClient, trustedServer } from '@o3/common/rpc'
import type { Env } from '@o3/common/env'
import { nullLogger } from '@o3/common/log'
import { expect, test } from 'vitest'
import type { SecretKey } from '../../src/api/api.ts'
import { RemoteScm } from '../../src/client/client.ts'
import { secretKeys } from '../../src/core/tables.ts'
import { ScmService, defaultScmConfig, scmRules } from '../../src/module.ts'
import type { ScmCommand, ScmReply } from '../../src/module.ts'
import { serveScm } from '../../src/rpc/rpc.ts'
import { testSealing } from '../fixtures/sealing.ts'
import { ThreeMembers } from '../fixtures/three-members.ts'

const { secretKeyPeriodMs: periodMs, secretKeyLeadMs: leadMs } = defaultScmConfig
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error

type ScmMachine = Machine<ScmCommand, ScmReply>

function serviceOf(machine: ScmMachine, fill = 7): ScmService {
  const env = machine.node.process
  const sealing = testSealing(env, fill)
  return new ScmService({ env, store: machine.store, config: defaultScmConfig, log: nullLogger, sealing })
}

function onMachine(script: (scm: ScmService, machine: ScmMachine) => Promise<void>): Promise<void> {
  const machine = new SimulatedStore<ScmCommand, ScmReply>(scmRules, { seed: 'secret keys' })
  return machine.run(async () => {
    await script(serviceOf(machine), machine)
    await machine.store.close()
  })
}

const idsOf = (keys: readonly SecretKey[]): readonly number[] => keys.map(({ id }) => id)

test('the first question makes the first key; the next ones find it', () =>
  onMachine(async (scm) => {
    const asked = await Promise.all([scm.secretKeys(), scm.secretKeys()])
    const { keys } = await scm.secretKeys()
    expect(keys).toMatchObject([{ id: 1 }])
    expect(keys[0]?.secret).toHaveLength(32)
    expect(asked).toEqual([await scm.secretKeys(), await scm.secretKeys()])
  }))

test('keys survive a restart, and are on the disk only sealed', () =>
  onMachine(async (scm, machine) => {
    const before = await scm.secretKeys()
    const [key] = before.keys
    await machine.store.close()
    await machine.restart('crash')
    const row = await machine.store.get(secretKeys, 1)
    for (const form of ['hex', 'base64', 'latin1'] as const) {
      const told = Buffer.from(row?.sealed ?? []).toString('latin1')
      expect(told).not.toContain(Buffer.from(key?.secret ?? []).toString(form))
    }
    expect(await serviceOf(machine).secretKeys()).toEqual(before)
    await expect(serviceOf(machine, 8).secretKeys()).rejects.toThrow(code('Damaged'))
  }))

test('each period has its key, made ahead of it, and old ones go', () =>
  onMachine(async (scm, machine) => {
    const { clock } = machine.node.process
    const [first] = (await scm.secretKeys()).keys
    for (let asked = 0; asked < 6 * 24; asked++) {
      const { keys } = await scm.secretKeys()
      const now = clock.wallMs()
      expect(keys.some(({ activeFromMs, expiresMs }) => activeFromMs <= now && now < expiresMs)).toBe(true)
      // Whoever has asked within the lead already has the key that signs in the next hour.
      expect(Math.max(...keys.map(({ activeFromMs }) => activeFromMs))).toBeGreaterThan(now - periodMs + leadMs - 1)
      expect(keys.every(({ expiresMs }) => expiresMs > now)).toBe(true)
      await clock.sleep(periodMs / 24)
    }
    const { keys } = await scm.secretKeys()
    expect(idsOf(keys)).toEqual([5, 6, 7])
    // Each was made when somebody asked, so a little late, and signs that much later.
    const lateMs = (keys[2]?.activeFromMs ?? 0) - (first?.activeFromMs ?? 0) - 6 * periodMs
    expect(lateMs).toBeGreaterThanOrEqual(0)
    expect(lateMs).toBeLessThan(1_000)
    expect(await machine.store.get(secretKeys, 1)).toBeUndefined()
  }))

test('an administrator makes the next one early; those before it are believed on', () =>
  onMachine(async (scm, machine) => {
    await scm.secretKeys()
    const nowMs = machine.node.process.clock.wallMs()
    expect(await scm.rotateSecretKey()).toBe(2)
    const { keys } = await scm.secretKeys()
    expect(idsOf(keys)).toEqual([1, 2])
    expect((keys[1]?.activeFromMs ?? 0) - nowMs).toBeGreaterThanOrEqual(leadMs)
    expect((keys[1]?.activeFromMs ?? 0) - nowMs).toBeLessThan(leadMs + 1_000)
    for (let more = 0; more < 62; more++) await scm.rotateSecretKey()
    await expect(scm.rotateSecretKey()).rejects.toThrow(code('TooManyEntries'))
  }))

test('a new leader has the keys of the old one; who follows has none to give', () => {
  const machine = new SimulatedStore<ScmCommand, ScmReply>(scmRules, { seed: 'secret keys of three' })
  return machine.run(async () => {
    const members = new ThreeMembers(machine, {})
    members.group.elect('a')
    const { keys } = await members.at('a').secretKeys()
    await expect(members.at('b').secretKeys()).rejects.toThrow(code('NotLeader'))
    members.group.elect('b')
    expect((await members.at('b').secretKeys()).keys).toEqual(keys)
    await machine.store.close()
  })
})

test('without the sealing key of the cluster there are none', () => {
  const machine = new SimulatedStore<ScmCommand, ScmReply>(scmRules, { seed: 'unsealed' })
  return machine.run(async () => {
    const { store, node } = machine
    const scm = new ScmService({ env: node.process, store, config: defaultScmConfig, log: nullLogger })
    await expect(scm.secretKeys()).rejects.toThrow(code('Unavailable'))
    await expect(scm.rotateSecretKey()).rejects.toThrow(code('Unavailable'))
    expect(await store.get(secretKeys, 1)).toBeUndefined()
    await store.close()
  })
})

test('over the wire they are for those who may have them', () =>
  onMachine(async (scm, { node, simulation }) => {
    const allowed = new Set<string>()
    const methods = serveScm<undefined>(scm, { mayHaveKeys: () => allowed.size > 0 })
    const host: Env = node.process
    const server = new RpcServer({ ...host, log: nullLogger, authentication: trustedServer, methods })
    const address = await server.listen({ kind: 'tcp', host: node.name, port: 1 })
    const env = simulation.node('client').boot()
    const members = [{ id: 'scm', address }]
    const client = new GroupClient({ env, name: 'scm', members, authentication: trustedClient })
    const remote = new RemoteScm(client)
    await expect(remote.secretKeys()).rejects.toThrow(code('AccessDenied'))
    allowed.add('me')
    expect(await remote.secretKeys()).toEqual(await scm.secretKeys())
    client.close()
    await server.close(0)
  }))
