/**
 * Who begins a group. A member with an empty log may vote only if it never had another one: who has lost its log and
 * votes all the same can undo what was acknowledged. So an empty directory is no proof of being new.
 *
 * `o3 cluster init` lays down a token for each member of OM and SCM, beside the cluster file. The first start of a member
 * writes down in its directory who founds the group, makes the log, and takes the token away; only then it joins. From then
 * on a blank directory is one that was wiped: the member learns everything from the others before it has a say. So does one
 * that is added later, which has never had a token.
 */

import { dirname, join } from 'node:path'
import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { openLog } from '@o3/ratis/log'
import { noConfiguration } from '@o3/ratis/node'
import type { Configuration } from '@o3/ratis/node'
import type { Member } from '../cluster-file/cluster-file.ts'
import { parseObject, readSmallFile, replaceFile } from '../data-directory.ts'
import { describeEndpoint } from './endpoint.ts'

const version = 1
const fileName = 'founding.json'
const tokensName = 'founders'

export interface Founder {
  /** Of the cluster file. */
  readonly home: string
  /** Of the process. */
  readonly directory: string
  /** Of the log. */
  readonly logDirectory: string
  readonly segmentBytes: number
  readonly member: Member
  /** The group as the cluster file has it. */
  readonly members: readonly Member[]
}

/** Before the cluster file, which makes a directory a cluster: a cluster whose tokens are missing can never begin. */
export async function layFoundersDown(env: Env, home: string, members: readonly Member[]): Promise<void> {
  const directory = join(home, tokensName)
  await env.disk.makeDirectory(directory)
  await env.disk.syncDirectory(home)
  for (const { id } of members) await replaceFile(env, join(directory, id), '')
}

/**
 * The group as this member helped to begin it, or undefined for one that others take in. The log exists when it resolves,
 * if the member is a founder. `Damaged` for a record that nobody wrote like this.
 */
export async function settleFounding(env: Env, founder: Founder): Promise<Configuration | undefined> {
  const { home, directory, logDirectory, segmentBytes, member, members } = founder
  const token = join(home, tokensName, member.id)
  const mayFound = (await env.disk.stat(token)) !== undefined
  const hasLog = (await env.disk.stat(join(logDirectory, 'hard-state'))) !== undefined
  // Whoever lost the log is told by the others who is in the group now.
  if (!mayFound && !hasLog) return undefined
  const known = await readFounding(env, directory)
  if (!mayFound) return known ?? (await foundAlone(env, founder))
  const founding = known ?? foundedBy(members)
  if (known === undefined) await writeFounding(env, directory, founding)
  await makeDurable(env, [dirname(directory), directory, dirname(logDirectory)])
  const log = await openLog(env, logDirectory, { segmentBytes })
  await log.close()
  await env.disk.remove(token)
  await env.disk.syncDirectory(join(home, tokensName))
  return founding
}

/** The log of a cluster that is older than these records: its groups had one member each. */
async function foundAlone(env: Env, founder: Founder): Promise<Configuration | undefined> {
  const { directory, member, members } = founder
  if (members.length !== 1 || members[0]?.id !== member.id) return undefined
  const founding = foundedBy(members)
  await writeFounding(env, directory, founding)
  return founding
}

/** Each in the one before; the log sees to its own. A power cut must not take the log and leave the token taken. */
async function makeDurable(env: Env, directories: readonly string[]): Promise<void> {
  for (const directory of directories) await env.disk.makeDirectory(directory)
  for (const directory of directories) await env.disk.syncDirectory(directory)
}

function foundedBy(members: readonly Member[]): Configuration {
  const addresses = Object.fromEntries(members.map((member) => [member.id, describeEndpoint(member)]))
  return { ...noConfiguration, voters: members.map(({ id }) => id), addresses }
}

async function writeFounding(env: Env, directory: string, { addresses }: Configuration): Promise<void> {
  await replaceFile(env, join(directory, fileName), `${JSON.stringify({ version, members: addresses }, null, 2)}\n`)
}

async function readFounding(env: Env, directory: string): Promise<Configuration | undefined> {
  const path = join(directory, fileName)
  const text = await readSmallFile(env, path)
  if (text === undefined) return undefined
  const { version: found, members } = parseObject(text) ?? {}
  if (typeof found === 'number' && found > version) {
    throw new StoreError('Incompatible', `${path} has version ${found}; this release knows ${version}`)
  }
  const addresses = Object.entries(typeof members === 'object' && members !== null ? members : {})
  const isWhole = addresses.length > 0 && addresses.every(([, address]) => typeof address === 'string')
  if (found !== version || !isWhole) throw new StoreError('Damaged', `${path} is not what O3 writes`)
  const voters = addresses.map(([id]) => id)
  return { ...noConfiguration, voters, addresses: Object.fromEntries(addresses) }
}
