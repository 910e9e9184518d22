/** What a start says to the person who typed it. Fits 80 columns but for the paths and keys, which must stay whole. */

import type { AdministratorCredentials } from './administrator.ts'

export interface BannerFacts {
  readonly endpoint: string
  readonly native: string
  readonly admin: string
  readonly directory: string
  readonly region: string
  readonly credentials: AdministratorCredentials
  readonly credentialsFile: string
  readonly logFile: string
  /** Where S3 is served besides, by the other gateways of a cluster. */
  readonly otherEndpoints?: readonly string[]
  /** Flags by which `o3 sh` finds the directory when it is not in the usual place; begins with a space. */
  readonly shellFlags?: string
}

/** The secret appears only in the banner of the start that made it. */
export function banner(facts: BannerFacts): string {
  const { credentials, endpoint } = facts
  const lines = [
    '',
    `  O3 serves ${facts.directory}`,
    '',
    `  S3        ${endpoint}   (region ${facts.region})`,
    ...(facts.otherEndpoints ?? []).map((other) => `            ${other}`),
    `  native    ${facts.native}   (o3 sh)`,
    `  health    ${facts.admin}/readyz   metrics ${facts.admin}/metrics`,
    `  log       ${facts.logFile}`,
    '',
    ...credentialLines(facts),
    '',
    '  Try:',
    '',
    ...tryLines(credentials, facts),
    '',
  ]
  return `${lines.join('\n')}\n`
}

function credentialLines({ credentials, credentialsFile }: BannerFacts): readonly string[] {
  switch (credentials.origin) {
    case 'made':
      return [
        '  The administrator, made now and shown once:',
        '',
        `    access key  ${credentials.accessKey}`,
        `    secret key  ${credentials.secretKey}`,
        '',
        `  kept in ${credentialsFile} (readable to you only)`,
      ]
    case 'configured':
      return [`  The administrator is ${credentials.accessKey}, as configured.`]
    case 'kept':
      return [`  The administrator is ${credentials.accessKey}; the secret is in`, `  ${credentialsFile}`]
  }
}

function tryLines({ accessKey, secretKey, origin }: AdministratorCredentials, facts: BannerFacts): readonly string[] {
  const secret = origin === 'made' ? secretKey : readSecret(facts, origin)
  return [
    `    export AWS_ACCESS_KEY_ID=${accessKey} AWS_SECRET_ACCESS_KEY=${secret} AWS_DEFAULT_REGION=${facts.region}`,
    `    aws --endpoint-url ${facts.endpoint} s3 mb s3://first`,
    `    aws --endpoint-url ${facts.endpoint} s3 cp README.md s3://first/`,
    `    npx o3 sh bucket list /s3v${facts.shellFlags ?? ''}`,
  ]
}

function readSecret(facts: BannerFacts, origin: 'configured' | 'kept'): string {
  if (origin === 'configured') return '$O3_ROOT_SECRET_KEY'
  return `$(sed -n 's/^secret_access_key = //p' '${facts.credentialsFile}')`
}
