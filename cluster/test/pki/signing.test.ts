import type { Address } from '@o3/common/env'
import { makeKeyPair, proveKey, formatProcessName, readCertificate } from '@o3/common/pki'
import { nullLogger } from '@o3/common/logger'
import { RpcClient, RpcServer } from '@o3/common/rpc'
import { stat } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ClusterAtHome } from '../../src/cluster-file/read-cluster.ts'
import { guarded } from '../../src/pki/authorisation.ts'
import { readAuthority, settleAuthority } from '../../src/pki/authority.ts'
import { keepIdentity, settleIdentity } from '../../src/pki/identity.ts'
import { joinByToken } from '../../src/pki/joining.ts'
import { makeToken } from '../../src/pki/join-token.ts'
import { renewIfDue } from '../../src/pki/renewal.ts'
import { joinMethod, signMethod, signingMethods } from '../../src/pki/signing.ts'
import { Wire } from '../../src/pki/wire.ts'
import type { ClusterPeer } from '../../src/pki/wire.ts'
import { authorityOf, clusterId, daysFromNow, identityOf, makeHome, nameOf } from './fixtures.ts'
import type { Home } from './fixtures.ts'

const dn4 = nameOf('datanode', 'dn4')
const hourMs = 60 * 60 * 1000

/** A member of SCM that signs, on loopback, and processes that have no authority's key. */
describe('SCM signs', () => {
  let home: Home
  let scm: RpcServer<ClusterPeer>
  let address: Address
  let cluster: ClusterAtHome

  beforeEach(async () => {
    home = await makeHome()
    const { env, files, path } = home
    await settleAuthority(env, files)
    const identity = await settleIdentity(env, home.holder(nameOf('scm', 'scm1')))
    const wire = new Wire({ env, identity, revoked: [], strangers: 'admitted' })
    const signing = signingMethods({ env, log: nullLogger, files, directory: path })
    scm = new RpcServer<ClusterPeer>({
      ...wire.env,
      log: nullLogger,
      methods: guarded('scm', { ...signing, 'scm.summary.1': () => ({}) }),
      authentication: wire.serves(),
    })
    address = await scm.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })
    const port = address.kind === 'tcp' ? address.port : 0
    const members = { om: [], scm: [{ id: 'scm1', host: '127.0.0.1', port }], datanodes: [], gateways: [] }
    cluster = { ...files, ...members, home: path, revoked: [], sealingKey: '' }
  })
  afterEach(async () => {
    await scm.close(0)
    await home.discard()
  })

  const authority = async () => {
    const found = await readAuthority(home.env, home.files)
    if (found === undefined) throw new Error('the authority is here')
    return found
  }
  const token = async (more: Partial<Parameters<typeof makeToken>[1]> = {}): Promise<string> =>
    makeToken(await authority(), {
      name: dn4,
      expiresMs: home.env.clock.wallMs() + hourMs,
      id: Buffer.from(home.env.random.bytes(16)).toString('hex'),
      ...more,
    })
  const join = (text: string, name = dn4) => joinByToken(home.env, home.holder(name, 'elsewhere'), cluster, text)

  test('for a process that joins with a token: once, in its name, for its eyes only', async () => {
    const text = await token()
    const joined = await join(text)
    expect(joined.facts.name).toBe('o3://5f5c/datanode/dn4')
    expect((await stat(home.holder(dn4).file)).mode & 0o777).toBe(0o600)
    // It can go on by itself.
    expect((await settleIdentity(home.env, home.holder(dn4, 'elsewhere'))).facts).toEqual(joined.facts)
    await expect(join(text)).rejects.toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('used before'),
    })
  })

  test.each([
    ['over', async () => token({ expiresMs: home.env.clock.wallMs() - 1 }), /is over/],
    [
      'of a cluster that knows the root and not its key',
      async () => {
        const { certificate } = await authority()
        const { privateKey } = authorityOf('forger')
        return makeToken(
          { certificate, privateKey },
          { name: dn4, expiresMs: Number.MAX_SAFE_INTEGER, id: 'ab'.repeat(16) },
        )
      },
      /not of this cluster/,
    ],
    [
      'of another cluster',
      async () => makeToken(authorityOf('x'), { name: dn4, expiresMs: Number.MAX_SAFE_INTEGER, id: 'ab'.repeat(16) }),
      /another authority/,
    ],
    [
      'changed',
      async () =>
        (await token()).replace(/\.(.)([\w-]+)$/, (_all, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`),
      /not of this cluster/,
    ],
    ['for another process', async () => token({ name: nameOf('datanode', 'dn5') }), /is for datanode dn5/],
    ['nonsense', () => Promise.resolve('o3join1.AAAA.AAAA'), /no token/],
  ])('not for a token that is %s', async (_, make, words) => {
    await expect(join(await make())).rejects.toMatchObject({
      code: expect.stringMatching(/^(AccessDenied|InvalidArgument|Unauthenticated)$/),
      message: expect.stringMatching(words),
    })
  })

  test('not for a key that the bearer of the token does not have; and a stranger may call nothing else', async () => {
    const roots = (await authority()).certificate
    const network = home.env.network.secured({ credentials: () => ({ roots }) })
    const { clock, tasks } = home.env
    const authentication = () => ({ hello: () => new Uint8Array(0), prove: () => new Uint8Array(0) })
    const client = new RpcClient({ network, clock, tasks, address, authentication })
    const [own, others] = [makeKeyPair(), makeKeyPair()]
    const asked = { publicKey: others.publicKey, proof: proveKey(own, formatProcessName(dn4)), token: await token() }
    const call = (method: string) => client.call(method, Buffer.from(JSON.stringify(asked)))
    await expect(call(joinMethod)).rejects.toMatchObject({ code: 'InvalidArgument' })
    await expect(call(signMethod)).rejects.toMatchObject({ code: 'AccessDenied' })
    await expect(call('scm.summary.1')).rejects.toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('somebody without a certificate'),
    })
    client.close()
  })

  test('in the name of who asks, whatever else that one says', async () => {
    const identity = identityOf(await authority(), dn4)
    const wire = new Wire({ env: home.env, identity, revoked: [] })
    const client = new RpcClient({ ...wire.env, address, authentication: wire.callsTo('scm') })
    const keys = makeKeyPair()
    const ask = (name: string) =>
      client.call(
        signMethod,
        Buffer.from(JSON.stringify({ publicKey: keys.publicKey, proof: proveKey(keys, name), name })),
      )
    await expect(ask(`o3://${clusterId}/scm/scm1`)).rejects.toMatchObject({ code: 'InvalidArgument' })
    const { payload } = await ask(formatProcessName(dn4))
    const { certificate } = JSON.parse(Buffer.from(payload).toString()) as { certificate: string }
    expect(readCertificate(certificate).name).toBe(formatProcessName(dn4))
    client.close()
  })

  test('a renewal drops no call: old connections live on, new ones show the new certificate', async () => {
    const { env } = home
    const holder = home.holder(dn4, 'elsewhere')
    const due = identityOf(await authority(), dn4, daysFromNow(-300, 65))
    const wire = new Wire({ env, identity: due, revoked: [] })
    let letGo: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const datanode = new RpcServer<ClusterPeer>({
      ...wire.env,
      log: nullLogger,
      methods: { 'wait.1': () => gate.then(() => ({ payload: Buffer.from('done') })), 'now.1': () => ({}) },
      authentication: wire.serves(),
    })
    const at = await datanode.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })
    const caller = new Wire({ env, identity: identityOf(await authority(), nameOf('gateway', 'gw1')), revoked: [] })
    const seen: string[] = []
    const client = () =>
      new RpcClient({
        ...caller.env,
        address: at,
        authentication: (dialled) => {
          seen.push(dialled.certificate?.serial ?? '')
          return caller.callsTo('datanode')(dialled)
        },
      })
    const [old, young] = [client(), client()]
    await old.call('now.1', new Uint8Array(0))
    const waiting = old.call('wait.1', new Uint8Array(0))

    const options = { env, log: nullLogger, wire, holder, cluster, clusterFile: '' }
    const renewed = await renewIfDue(options)
    expect(renewed.facts.serial).not.toBe(due.facts.serial)
    expect(wire.identity).toBe(renewed)
    expect((await settleIdentity(env, holder)).facts).toEqual(renewed.facts)

    await young.call('now.1', new Uint8Array(0))
    expect(seen).toEqual([due.facts.serial, renewed.facts.serial])
    letGo()
    expect(Buffer.from((await waiting).payload).toString()).toBe('done')
    // Nothing is due any more.
    expect(await renewIfDue(options)).toBe(renewed)
    old.close()
    young.close()
    await datanode.close(0)
  })

  test('what does not fit is not kept', async () => {
    const { certificate, root, facts } = identityOf(await authority(), dn4)
    expect(facts.name).toBe(formatProcessName(dn4))
    const keeping = keepIdentity(home.env, home.holder(dn4), { keys: makeKeyPair(), certificate, root })
    await expect(keeping).rejects.toMatchObject({ code: 'Incompatible' })
    await expect(stat(home.holder(dn4).file)).rejects.toThrow('ENOENT')
  })
})
