import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { settleAuthority } from '../../src/pki/authority.ts'
import { settleIdentity } from '../../src/pki/identity.ts'
import { renewalMs, standingOf } from '../../src/pki/validity.ts'
import { authorityOf, daysFromNow, identityOf, makeHome, nameOf } from './fixtures.ts'
import type { Home } from './fixtures.ts'

const dn1 = nameOf('datanode', 'dn1')

describe('the identity of a process', () => {
  let home: Home
  beforeEach(async () => {
    home = await makeHome()
    await settleAuthority(home.env, home.files)
  })
  afterEach(() => home.discard())

  const authority = async () => ({
    certificate: await readFile(home.files.ca, 'utf8'),
    privateKey: await readFile(home.files.caKey, 'utf8'),
  })
  const keep = async (identity: ReturnType<typeof identityOf>): Promise<void> => {
    const { privateKey, certificate, root } = identity
    await writeFile(join(home.path, 'dn1.pem'), `${privateKey}${certificate}${root}`, { mode: 0o600 })
  }

  test('is made once where the key of the authority is, and found again', async () => {
    const made = await settleIdentity(home.env, home.holder(dn1))
    const again = await settleIdentity(home.env, home.holder(dn1))
    expect(again.facts).toEqual(made.facts)
    expect(made.facts.name).toBe('o3://5f5c/datanode/dn1')
    expect(made.facts.validity.toMs - home.env.clock.wallMs()).toBeGreaterThan(364 * 24 * 60 * 60 * 1000)
    // It is enough for a host that has nothing else.
    expect((await settleIdentity(home.env, home.holder(dn1, 'elsewhere'))).facts).toEqual(made.facts)
  })

  test('and the authority are readable to their owner only', async () => {
    await settleIdentity(home.env, home.holder(dn1))
    const names = await readdir(home.path)
    expect(names.toSorted()).toEqual(['ca.key', 'ca.pem', 'dn1.pem'])
    for (const name of names) expect((await stat(join(home.path, name))).mode & 0o777, name).toBe(0o600)
  })

  test('is not taken from files that others can read', async () => {
    await settleIdentity(home.env, home.holder(dn1))
    await chmod(join(home.path, 'dn1.pem'), 0o640)
    await expect(settleIdentity(home.env, home.holder(dn1))).rejects.toMatchObject({ code: 'Damaged' })
    await chmod(home.files.caKey, 0o604)
    await expect(settleIdentity(home.env, home.holder(nameOf('om', 'om1')))).rejects.toMatchObject({
      code: 'Damaged',
      message: expect.stringContaining('ca.key can be read by others'),
    })
  })

  test('an authority is made once', async () => {
    const before = await authority()
    await settleAuthority(home.env, home.files)
    expect(await authority()).toEqual(before)
  })

  test.each([
    ['has expired', () => daysFromNow(-400, -1), dn1, 'has expired'],
    ['is of tomorrow', () => daysFromNow(1, 2), dn1, 'clock of this host'],
    ['is of another process', () => daysFromNow(-1, 1), nameOf('datanode', 'dn2'), 'of another process'],
    ['is of another cluster', () => daysFromNow(-1, 1), nameOf('datanode', 'dn1', 'c2'), 'of another process'],
  ])('that %s is made anew here, and refused with advice elsewhere', async (_, validity, name, words) => {
    await keep(identityOf(await authority(), name, validity()))
    await expect(settleIdentity(home.env, home.holder(dn1, 'elsewhere'))).rejects.toMatchObject({
      code: 'InvalidArgument',
      message: expect.stringContaining(words),
    })
    expect((await settleIdentity(home.env, home.holder(dn1))).facts.name).toBe('o3://5f5c/datanode/dn1')
  })

  test('of another authority is refused, though its name is right', async () => {
    await keep(identityOf(authorityOf('ours, says who'), dn1))
    await expect(settleIdentity(home.env, home.holder(dn1, 'elsewhere'))).rejects.toMatchObject({
      message: expect.stringContaining("another cluster's authority"),
    })
  })

  test('that is missing, or is no identity', async () => {
    await expect(settleIdentity(home.env, home.holder(dn1, 'elsewhere'))).rejects.toMatchObject({
      code: 'InvalidArgument',
      message: expect.stringContaining('join with a token'),
    })
    await writeFile(join(home.path, 'dn1.pem'), 'half a file', { mode: 0o600 })
    await expect(settleIdentity(home.env, home.holder(dn1))).rejects.toMatchObject({ code: 'Damaged' })
  })

  test('that is due counts on: elsewhere SCM signs the next one, here the start does', async () => {
    const due = identityOf(await authority(), dn1, daysFromNow(-300, 65))
    await keep(due)
    expect((await settleIdentity(home.env, home.holder(dn1, 'elsewhere'))).facts).toEqual(due.facts)
    expect((await settleIdentity(home.env, home.holder(dn1))).facts.serial).not.toBe(due.facts.serial)
  })
})

test.each([
  [-1, 'early'],
  [0, 'good'],
  [599, 'good'],
  [600, 'due'],
  [899, 'due'],
  [900, 'expired'],
] as const)('a certificate from 0 to 900 is at %d %s', (nowMs, standing) => {
  const certificate = { name: 'n', serial: '1', validity: { fromMs: 0, toMs: 900 } }
  expect(renewalMs(certificate.validity)).toBe(600)
  expect(standingOf({ certificate, name: 'n', belongs: true, nowMs })).toBe(standing)
  expect(standingOf({ certificate, name: 'm', belongs: true, nowMs })).toBe('foreign')
  expect(standingOf({ certificate, name: 'n', belongs: false, nowMs })).toBe('foreign')
})
