/** Certificates by which the processes of a cluster know each other. */

export {
  belongsTogether,
  isProof,
  issueCertificate,
  makeAuthority,
  makeKeyPair,
  proveKey,
  readCertificate,
} from './certificates.ts'
export type { Authority, CertificateFacts, CertificateRequest, KeyPair, Validity } from './certificates.ts'
export { formatProcessName, parseProcessName } from './process-name.ts'
export type { ProcessName } from './process-name.ts'
