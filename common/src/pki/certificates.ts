/**
 * The certificates of a cluster: a root that signs, and one for each process, whose name is a URI in its subject
 * alternative name. ECDSA on P-256 with SHA-256, X.509 version 3 after RFC 5280. Keys are drawn by OpenSSL: they are the one
 * thing that no seed may decide.
 */

import { X509Certificate, createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Random } from '../env/env.ts'
import { StoreError } from '../errors.ts'
import * as der from './der.ts'

/** PEM. */
export interface KeyPair {
  readonly privateKey: string
  readonly publicKey: string
}

/** PEM. Whoever has the private key can be anybody in the cluster. */
export interface Authority {
  readonly certificate: string
  readonly privateKey: string
}

/** Milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number
  readonly toMs: number
}

export interface CertificateRequest {
  /** The URI. */
  readonly name: string
  /** For people, at most 64 characters. */
  readonly label: string
  /** PEM. */
  readonly publicKey: string
  readonly validity: Validity
}

const oids = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

const uriTag = 6
const maxLabelChars = 64

export function makeKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/** A root that signs for processes only: it cannot make further authorities. */
export function makeAuthority(label: string, validity: Validity, random: Random): Authority {
  const { privateKey, publicKey } = makeKeyPair()
  const key = keyOf(publicKey)
  const name = nameOf(label)
  const certificate = signed(privateKey, {
    serial: serialOf(random),
    issuer: name,
    subject: name,
    validity,
    key,
    extensions: [
      extension(oids.basicConstraints, 'critical', der.sequence(der.boolean(true), der.integer(Uint8Array.of(0)))),
      // keyCertSign and cRLSign: the bits 5 and 6.
      extension(oids.keyUsage, 'critical', der.bitString(Uint8Array.of(0x06), 1)),
      extension(oids.subjectKeyId, 'optional', der.octetString(keyIdOf(key))),
    ],
  })
  return { certificate, privateKey }
}

/** The certificate in PEM. `InvalidArgument` for a key that is not on P-256. */
export function issueCertificate(authority: Authority, request: CertificateRequest, random: Random): string {
  const root = new X509Certificate(authority.certificate)
  const key = keyOf(request.publicKey)
  return signed(authority.privateKey, {
    serial: serialOf(random),
    issuer: nameOf(labelOf(root)),
    subject: nameOf(request.label),
    validity: request.validity,
    key,
    extensions: [
      extension(oids.basicConstraints, 'critical', der.sequence()),
      // digitalSignature: the bit 0.
      extension(oids.keyUsage, 'critical', der.bitString(Uint8Array.of(0x80), 7)),
      extension(oids.extendedKeyUsage, 'optional', der.sequence(der.oid(oids.serverAuth), der.oid(oids.clientAuth))),
      extension(
        oids.subjectAltName,
        'optional',
        der.sequence(der.tagged(uriTag, 'implicit', Buffer.from(request.name, 'latin1'))),
      ),
      extension(oids.subjectKeyId, 'optional', der.octetString(keyIdOf(key))),
      extension(oids.authorityKeyId, 'optional', der.sequence(der.tagged(0, 'implicit', keyIdOf(root.publicKey)))),
    ],
  })
}

/** What a certificate of ours says. */
export interface CertificateFacts {
  /** Undefined: it is a root. */
  readonly name: string | undefined
  /** Hexadecimal, upper case. */
  readonly serial: string
  readonly validity: Validity
}

/** Of the first certificate in the text. `Damaged` for what is none. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = parse(pem)
  return {
    name: /^URI:([\w:/.-]+)$/.exec(certificate.subjectAltName ?? '')?.[1],
    serial: certificate.serialNumber,
    validity: { fromMs: Date.parse(certificate.validFrom), toMs: Date.parse(certificate.validTo) },
  }
}

/** Whether this root has signed it, and it is of this key. Says nothing of its validity. */
export function belongsTogether({
  certificate,
  privateKey,
  root,
}: Record<'certificate' | 'privateKey' | 'root', string>): boolean {
  const [leaf, authority] = [parse(certificate), parse(root)]
  return (
    leaf.checkIssued(authority) &&
    leaf.verify(authority.publicKey) &&
    leaf.publicKey.equals(createPublicKey(privateKey))
  )
}

/** That whoever sends this has the private key too: a signature over what it asks for. Base64. */
export function proveKey({ privateKey, publicKey }: KeyPair, name: string): string {
  return sign('sha256', proofText(publicKey, name), privateKey).toString('base64')
}

export function isProof(proof: string, publicKey: string, name: string): boolean {
  return verify('sha256', proofText(publicKey, name), keyOf(publicKey), Buffer.from(proof, 'base64'))
}

function proofText(publicKey: string, name: string): Uint8Array {
  return Buffer.from(`o3 certificate request 1\n${name}\n${publicKey}`)
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new StoreError('Damaged', 'this is no certificate', { cause })
  }
}

/** Never another kind of key: the root's signature would vouch for it. */
function keyOf(publicKey: string): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: publicKey, format: 'pem', type: 'spki' })
  } catch (cause) {
    throw new StoreError('InvalidArgument', 'this is no public key', { cause })
  }
  if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw new StoreError('InvalidArgument', 'the key of a process is on the curve P-256')
}

interface ToBeSigned {
  readonly serial: Uint8Array
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly validity: Validity
  readonly key: KeyObject
  readonly extensions: readonly Uint8Array[]
}

function signed(privateKey: string, { serial, issuer, subject, validity, key, extensions }: ToBeSigned): string {
  const algorithm = der.sequence(der.oid(oids.ecdsaWithSha256))
  const content = der.sequence(
    der.tagged(0, 'explicit', der.integer(Uint8Array.of(2))),
    serial,
    algorithm,
    issuer,
    der.sequence(der.time(validity.fromMs), der.time(validity.toMs)),
    subject,
    key.export({ type: 'spki', format: 'der' }),
    der.tagged(3, 'explicit', der.sequence(...extensions)),
  )
  const signature = sign('sha256', content, privateKey)
  return pemOf(der.sequence(content, algorithm, der.bitString(signature)))
}

function pemOf(bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

/** 126 random bits: RFC 5280 allows 159, and 64 that nobody can guess are asked for. */
function serialOf(random: Random): Uint8Array {
  const bytes = random.bytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return der.integer(bytes)
}

function nameOf(label: string): Uint8Array {
  const attribute = (type: string, value: string): Uint8Array =>
    der.set(der.sequence(der.oid(type), der.utf8String(value)))
  // Letters that OpenSSL shows as they are, so that `labelOf` reads what was written.
  const plain = label.slice(0, maxLabelChars).replaceAll(/[^A-Za-z0-9 .-]/g, '-')
  return der.sequence(attribute(oids.organization, 'O3'), attribute(oids.commonName, plain))
}

function labelOf(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? ''
}

function keyIdOf(key: KeyObject): Uint8Array {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20)
}

function extension(type: string, how: 'critical' | 'optional', value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(type), ...(how === 'critical' ? [der.boolean(true)] : []), der.octetString(value))
}
