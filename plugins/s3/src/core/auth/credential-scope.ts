/** `AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request`: whose key, and what a signing key is good for. */

export interface ScopedCredential {
  readonly accessKeyId: string
  /** `20130524`. */
  readonly date: string
  readonly region: string
  readonly service: string
  readonly terminal: string
}

export type ScopeFault =
  | { readonly kind: 'malformed' }
  | { readonly kind: 'date-format'; readonly date: string }
  | { readonly kind: 'terminal'; readonly terminal: string }
  | { readonly kind: 'service'; readonly service: string }
  | { readonly kind: 'region'; readonly region: string }

/** Undefined unless it has five parts and an access key id. */
export function parseCredential(text: string): ScopedCredential | undefined {
  const parts = text.split('/', 6)
  const [accessKeyId, date, region, service, terminal] = parts
  if (parts.length !== 5 || accessKeyId === '' || accessKeyId === undefined || date === undefined) return undefined
  if (region === undefined || service === undefined || terminal === undefined) return undefined
  return { accessKeyId, date, region, service, terminal }
}

/** What is wrong with it for an S3 endpoint of this region; undefined for nothing. */
export function scopeFault(credential: ScopedCredential | undefined, region: string): ScopeFault | undefined {
  if (credential === undefined) return { kind: 'malformed' }
  if (!/^\d{8}$/.test(credential.date)) return { kind: 'date-format', date: credential.date }
  if (credential.terminal !== 'aws4_request') return { kind: 'terminal', terminal: credential.terminal }
  if (credential.service !== 's3') return { kind: 'service', service: credential.service }
  if (credential.region !== region) return { kind: 'region', region: credential.region }
  return undefined
}

/** S3's sentence for it, without the part that says where the credential stood. */
export function describeFault(fault: ScopeFault, region: string): string {
  switch (fault.kind) {
    case 'malformed':
      return 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
    case 'date-format':
      return `incorrect date format "${fault.date}". This date in the credential must be in the format "yyyyMMdd".`
    case 'terminal':
      return `incorrect terminal "${fault.terminal}". This endpoint uses "aws4_request".`
    case 'service':
      return `incorrect service "${fault.service}". This endpoint belongs to "s3".`
    case 'region':
      return `the region '${fault.region}' is wrong; expecting '${region}'`
  }
}
