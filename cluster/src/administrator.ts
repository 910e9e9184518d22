/**
 * The administrator: its credentials in the data directory and in OM. At the first start they are made, or taken from
 * the configuration; each start sees to it that OM knows them, so that a start that was killed half-way heals.
 */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { AccessKey, OmClient, OmCommand } from '@o3/om/api'
import { newAccessKey } from '@o3/protocol-bus/store'
import type { Keyring } from '@o3/protocol-bus/store'
import { readSmallFile, replaceFile } from './data-directory.ts'
import type { RootSettings } from './settings.ts'

export const administratorName = 'root'
/** The volume of the buckets made through S3. */
export const s3Volume = 's3v'

export interface Credentials {
  readonly accessKey: string
  readonly secretKey: string
}

export interface AdministratorCredentials extends Credentials {
  /** `made`: drawn by this start, and to be shown once. */
  readonly origin: 'made' | 'configured' | 'kept'
  /** The access key in the data directory that the configured one takes the place of. */
  readonly replaces?: string
}

export function credentialsPath(directory: string): string {
  return `${directory}/credentials`
}

/**
 * From the configuration, else from the data directory, else newly made. New ones are durable when it resolves: a key
 * that OM knows and nobody can read would be lost. Configured ones follow after OM has them (`installAdministrator`).
 */
export async function settleCredentials(
  env: Env,
  directory: string,
  configured: RootSettings,
): Promise<AdministratorCredentials> {
  const found = await findCredentials(env, directory, configured)
  if (found !== undefined) return found
  const { id: accessKey, secret: secretKey } = newAccessKey(env.random)
  const made = { accessKey, secretKey }
  await writeCredentials(env, directory, made)
  return { ...made, origin: 'made' }
}

/** As above, but undefined where none were made yet: for one of several processes that need the same ones. */
export async function findCredentials(
  env: Env,
  directory: string,
  configured: RootSettings,
): Promise<AdministratorCredentials | undefined> {
  const kept = await readCredentials(env, directory)
  const given = givenCredentials(configured)
  if (given === undefined) return kept === undefined ? undefined : { ...kept, origin: 'kept' }
  const replaces = kept === undefined || kept.accessKey === given.accessKey ? {} : { replaces: kept.accessKey }
  return { ...given, origin: 'configured', ...replaces }
}

/** Undefined before the first start. `Damaged` when the file is not what O3 writes. */
export async function readCredentials(env: Env, directory: string): Promise<Credentials | undefined> {
  const path = credentialsPath(directory)
  const text = await readSmallFile(env, path)
  if (text === undefined) return undefined
  const accessKey = /^access_key_id *= *(\S+)$/m.exec(text)?.[1]
  const secretKey = /^secret_access_key *= *(\S+)$/m.exec(text)?.[1]
  if (accessKey === undefined || secretKey === undefined) {
    throw new StoreError(
      'Damaged',
      `${path} has no access_key_id and secret_access_key; remove it to have new ones made`,
    )
  }
  return { accessKey, secretKey }
}

function writeCredentials(env: Env, directory: string, credentials: Credentials): Promise<void> {
  const { accessKey, secretKey } = credentials
  const text = `# The administrator of this O3. Keep it to yourself.\naccess_key_id = ${accessKey}\nsecret_access_key = ${secretKey}\n`
  return replaceFile(env, credentialsPath(directory), text)
}

function givenCredentials({ accessKey, secretKey }: RootSettings): Credentials | undefined {
  if (accessKey === undefined && secretKey === undefined) return undefined
  if (accessKey === undefined || secretKey === undefined) {
    throw new StoreError('InvalidArgument', 'O3_ROOT_ACCESS_KEY and O3_ROOT_SECRET_KEY are set together or not at all')
  }
  const given = { accessKey: accessKey.reveal(), secretKey: secretKey.reveal() }
  if (!/^[A-Za-z0-9._-]{3,128}$/.test(given.accessKey)) {
    throw new StoreError('InvalidArgument', 'the root access key must be 3 to 128 letters, digits or . _ -')
  }
  if (!/^[!-~]{8,128}$/.test(given.secretKey)) {
    throw new StoreError('InvalidArgument', 'the root secret key must be 8 to 128 printable characters without spaces')
  }
  return given
}

export interface AdministratorParts {
  readonly om: OmClient
  readonly keyring: Keyring
}

/** Gateways that start side by side all do this, and each sees that another was faster at most once a step. */
const maxAttempts = 3

/**
 * Brings OM to know the administrator, these credentials and the S3 volume, and takes away the key they replace. Other
 * keys of the administrator stay: they were made on purpose. Repeating it after a crash at any point heals, and several
 * processes may do it at a time. What is there already is only looked at: a start on a full disk, where nothing can be
 * written, must succeed for room to be made.
 */
export async function installAdministrator(
  { om, keyring }: AdministratorParts,
  credentials: AdministratorCredentials,
): Promise<void> {
  await ifMissing(
    () => om.getUser(administratorName),
    () => om.execute({ kind: 'create-user', user: administratorName, admin: true }),
  )
  await installAccessKey(om, keyring, credentials)
  if (credentials.replaces !== undefined) {
    await unlessMissing(om, { kind: 'delete-access-key', id: credentials.replaces })
  }
  await ifMissing(
    () => om.getVolume(s3Volume),
    () => om.execute({ kind: 'create-volume', volume: s3Volume, owner: administratorName, quota: {} }),
  )
}

/** Configured credentials go into the data directory when OM has them, so that a start without them finds a key that counts. */
export async function keepConfigured(
  env: Env,
  directory: string,
  credentials: AdministratorCredentials,
): Promise<void> {
  if (credentials.origin === 'configured') await writeCredentials(env, directory, credentials)
}

async function installAccessKey(om: OmClient, keyring: Keyring, credentials: Credentials): Promise<void> {
  const { accessKey, secretKey } = credentials
  for (let attempt = 1; ; attempt++) {
    const known = await findAccessKey(om, accessKey)
    if (known !== undefined && known.user !== administratorName) {
      throw new StoreError('InvalidArgument', `the root access key ${accessKey} already belongs to user ${known.user}`)
    }
    if (known?.enabled === true && keyring.unseal(accessKey, known.sealedSecret) === secretKey) return
    if (known !== undefined) await unlessMissing(om, { kind: 'delete-access-key', id: accessKey })
    const sealedSecret = keyring.seal(accessKey, secretKey)
    try {
      await om.execute({ kind: 'create-access-key', id: accessKey, user: administratorName, sealedSecret })
      return
    } catch (error) {
      if (!isStoreError(error, 'KeyAlreadyExists') || attempt === maxAttempts) throw error
    }
  }
}

async function findAccessKey(om: OmClient, id: string): Promise<AccessKey | undefined> {
  try {
    return await om.getAccessKey(id)
  } catch (error) {
    if (isStoreError(error, 'AccessKeyNotFound')) return undefined
    throw error
  }
}

async function ifMissing(look: () => unknown, make: () => Promise<unknown>): Promise<void> {
  try {
    await look()
  } catch (error) {
    if (!isStoreError(error, 'UserNotFound', 'VolumeNotFound')) throw error
    await unlessMade(make)
  }
}

/** Somebody else may have been faster. */
async function unlessMade(make: () => Promise<unknown>): Promise<void> {
  try {
    await make()
  } catch (error) {
    if (!isStoreError(error, 'UserAlreadyExists', 'VolumeAlreadyExists')) throw error
  }
}

async function unlessMissing(om: OmClient, command: OmCommand): Promise<void> {
  try {
    await om.execute(command)
  } catch (error) {
    if (!isStoreError(error, 'AccessKeyNotFound')) throw error
  }
}
