/** How a command finds the server and proves who it is: named on the command line, in the environment, or by a data directory. */

import { resolve } from 'node:path'
import { readCredentials, readEndpoints } from '@o3/cluster/directory'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError, isStoreError } from '@o3/common/errors'
import { connectNative, parseAddress } from '@o3/plugin-native/client'
import type { NativeConnection } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'

export interface ConnectionFlags {
  readonly data?: string
  readonly address?: string
  readonly accessKey?: string
  readonly secretKey?: string
}

export function addConnectionFlags(command: Command): Command {
  return command
    .option('--data <dir>', 'of a node on this machine (O3_DATA, else ./o3-data)')
    .option('--address <o3://host:port>', 'of any other (O3_ADDRESS)')
    .option('--access-key <id>', "O3_ACCESS_KEY, else the data directory's")
    .option('--secret-key <key>', 'O3_SECRET_KEY; seen by others on this machine if given here')
}

const startOne = 'start one with `npx o3 start`, or name it with --address'

const lookAround = '`o3 cluster status` shows which processes are up, `o3 admin om roles` who leads'

interface Target {
  readonly address: string
  readonly accessKey: string
  readonly secretKey: string
}

/** `Unavailable` when nobody answers, `Unauthenticated`, `InvalidArgument` for what is missing; each says what to do. */
export async function connect(flags: ConnectionFlags, variables: Environment): Promise<NativeConnection> {
  const env = nodeEnv()
  const { address, accessKey, secretKey } = await findTarget(flags, variables)
  try {
    return await connectNative({ env, address: parseAddress(address), accessKey, secretKey })
  } catch (cause) {
    if (!isStoreError(cause, 'Unavailable')) throw cause
    if (cause.details['errno'] !== undefined) {
      throw new StoreError('Unavailable', `no O3 answers at ${address}`, { details: { try: startOne }, cause })
    }
    // A gateway asks OM whose key it is.
    const message = `O3 is there at ${address}, and does not answer: no member of OM may be leading`
    throw new StoreError('Unavailable', message, { details: { try: lookAround }, cause })
  }
}

async function findTarget(flags: ConnectionFlags, variables: Environment): Promise<Target> {
  const directory = resolve(flags.data ?? variables['O3_DATA'] ?? './o3-data')
  // A directory that was named on the command line goes before an address that lies in the environment.
  const named = flags.address ?? (flags.data === undefined ? variables['O3_ADDRESS'] : undefined)
  const address = named ?? (await readEndpoints(nodeEnv(), directory))?.native
  if (address === undefined) {
    throw new StoreError('Unavailable', `no O3 has run on ${directory}`, { details: { try: startOne } })
  }
  return { address, ...(givenKey(flags, variables) ?? (await keptKey(directory, address))) }
}

function givenKey(flags: ConnectionFlags, variables: Environment): Omit<Target, 'address'> | undefined {
  const accessKey = flags.accessKey ?? variables['O3_ACCESS_KEY']
  const secretKey = flags.secretKey ?? variables['O3_SECRET_KEY']
  if (accessKey !== undefined && secretKey !== undefined) return { accessKey, secretKey }
  if (accessKey !== undefined || secretKey !== undefined) {
    throw new StoreError('InvalidArgument', 'access key and secret key are given together or not at all')
  }
  return undefined
}

async function keptKey(directory: string, address: string): Promise<Omit<Target, 'address'>> {
  const kept = await readCredentials(nodeEnv(), directory)
  if (kept !== undefined) return kept
  throw new StoreError('InvalidArgument', `there are no credentials for ${address}`, {
    details: { try: 'set O3_ACCESS_KEY and O3_SECRET_KEY, or name the data directory with --data' },
  })
}
