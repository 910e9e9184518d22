import { X509Certificate, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { NodeRandom } from '../../src/env/node/node-random.ts'
import {
  belongsTogether,
  formatProcessName,
  isProof,
  issueCertificate,
  makeAuthority,
  makeKeyPair,
  parseProcessName,
  proveKey,
  readCertificate,
} from '../../src/pki/pki.ts'
import * as der from '../../src/pki/der.ts'

const random = new NodeRandom()
const fromMs = Date.UTC(2026, 10, 29)
const toMs = Date.UTC(2027, 10, 29)
const name = 'o3://0d8e/datanode/dn1'
const authority = makeAuthority('0d8e', { fromMs, toMs: Date.UTC(2066, 0, 1) }, random)
const keys = makeKeyPair()
const request = { name, label: 'dn1', publicKey: keys.publicKey, validity: { fromMs, toMs } }

describe('a certificate', () => {
  const certificate = issueCertificate(authority, request, random)

  test('says what was asked for', () => {
    expect(readCertificate(certificate)).toMatchObject({ name, validity: { fromMs, toMs } })
    const parsed = new X509Certificate(certificate)
    expect(parsed.ca).toBe(false)
    expect(parsed.subject).toBe('O=O3\nCN=dn1')
    expect(parsed.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  })

  test('is of its root and its key, and of no other', () => {
    const { certificate: root } = authority
    const other = makeAuthority('0d8e', { fromMs, toMs }, random)
    expect(belongsTogether({ certificate, privateKey: keys.privateKey, root })).toBe(true)
    expect(belongsTogether({ certificate, privateKey: makeKeyPair().privateKey, root })).toBe(false)
    expect(belongsTogether({ certificate, privateKey: keys.privateKey, root: other.certificate })).toBe(false)
  })

  test('has a serial of its own, also for the same request', () => {
    const serials = Array.from(
      { length: 20 },
      () => readCertificate(issueCertificate(authority, request, random)).serial,
    )
    expect(new Set(serials).size).toBe(20)
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/)
  })

  test('is for keys on P-256 only', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const foreign = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    for (const publicPem of [foreign, 'no key', '']) {
      expect(() => issueCertificate(authority, { ...request, publicKey: publicPem }, random)).toThrow(
        expect.objectContaining({ code: 'InvalidArgument' }),
      )
    }
  })

  test('of a root: it may sign, once, and lives past 2050', () => {
    const root = new X509Certificate(authority.certificate)
    expect(root.ca).toBe(true)
    expect(root.verify(root.publicKey)).toBe(true)
    expect(readCertificate(authority.certificate)).toMatchObject({
      name: undefined,
      validity: { toMs: Date.UTC(2066, 0, 1) },
    })
  })

  test.each(['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
    'that is none: %j',
    (text) => {
      expect(() => readCertificate(text)).toThrow(expect.objectContaining({ code: 'Damaged' }))
    },
  )
})

describe('the proof of a key', () => {
  const proof = proveKey(keys, name)

  test('holds for what was asked, with that key', () => {
    expect(isProof(proof, keys.publicKey, name)).toBe(true)
    expect(isProof(proof, keys.publicKey, 'o3://0d8e/scm/scm1')).toBe(false)
    expect(isProof(proof, makeKeyPair().publicKey, name)).toBe(false)
    expect(isProof('', keys.publicKey, name)).toBe(false)
  })
})

describe('the name of a process', () => {
  test('is read as it was written', () => {
    expect(formatProcessName({ clusterId: '0d8e', role: 'datanode', id: 'dn1' })).toBe(name)
    expect(parseProcessName(name)).toEqual({ clusterId: '0d8e', role: 'datanode', id: 'dn1' })
  })

  test.each(['', 'o3://a/b', 'o3://a/b/c/d', 'o3://a//c', 'http://a/b/c', 'o3://a/b/c,URI:o3://a/b/d', 'o3://a/b/c\n'])(
    '%j is none',
    (text) => expect(parseProcessName(text)).toBeUndefined(),
  )
})

test.each([
  ['zero', der.integer(Uint8Array.of(0, 0)), '020100'],
  ['a leading bit', der.integer(Uint8Array.of(0x80)), '02020080'],
  ['leading zeros', der.integer(Uint8Array.of(0, 0, 0x7f)), '02017f'],
  ['a long length', der.octetString(new Uint8Array(300)).subarray(0, 4), '0482012c'],
  ['an identifier', der.oid('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
  [
    'a time before 2050',
    der.time(Date.UTC(2049, 11, 31, 23, 59, 59)),
    `170d${Buffer.from('491231235959Z').toString('hex')}`,
  ],
  ['a time from 2050 on', der.time(Date.UTC(2050, 0, 1)), `180f${Buffer.from('20500101000000Z').toString('hex')}`],
])('DER: %s', (_, bytes, hex) => {
  expect(Buffer.from(bytes).toString('hex')).toBe(hex)
})
