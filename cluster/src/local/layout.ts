/**
 * A cluster on one machine, on the disk: the cluster file, its secrets, and a directory for each process, named after
 * it. Ports are chosen once and written down, so that a process comes back where the others look for it.
 */

import { join } from 'node:path'
import type { Env } from '@o3/common/env'
import type { ReplicationConfig } from '@o3/scm/api'
import { StoreError, isStoreError } from '@o3/common/errors'
import { clusterFileName, defaultAuthority, formatClusterFile } from '../cluster-file/cluster-file.ts'
import type { Cluster, Endpoint, Member, Role } from '../cluster-file/cluster-file.ts'
import { clusterFileIn, readCluster } from '../cluster-file/read-cluster.ts'
import { makeHexKey, refuseStrangers, replaceFile } from '../data-directory.ts'
import type { Marks } from '../data-directory.ts'
import { adminHolder } from '../pki/administration.ts'
import { settleAuthority } from '../pki/authority.ts'
import { settleIdentity } from '../pki/identity.ts'
import { tryPort } from '../process/ports.ts'
import type { Listening } from '../process/ports.ts'
import type { ClaimedDirectory } from '../process/running-process.ts'
import { layFoundersDown } from '../roles/founding.ts'
import type { Shape } from './shape.ts'

export interface LayoutOptions {
  readonly shape: Shape
  /** Datanodes are spread over so many, in turn, and gateways where there is one for each. Default 1. */
  readonly racks?: number
  /** Of buckets whose creator asks for nothing else. Default: three replicas where there are three datanodes. */
  readonly replication?: ReplicationConfig
  /** Of the first gateway; one that is named and taken is `Busy`. The others get free ones. */
  readonly s3: Listening
  readonly native: Listening
  readonly admin: Listening
}

const preferredS3Port = 9878

const marks: Marks = {
  mark: clusterFileName,
  beginnings: new Set([
    'lock',
    'keys',
    'founders',
    `${clusterFileName}.new`,
    'credentials',
    'credentials.new',
    'o3.log',
  ]),
}

/** Takes the directory for one command. `Busy` while a cluster runs on it, `Incompatible` when it is not a cluster's. */
export async function claimHome(env: Env, path: string): Promise<ClaimedDirectory & { readonly laidOut: boolean }> {
  if ((await env.disk.stat(join(path, 'VERSION'))) !== undefined) {
    throw new StoreError('Incompatible', `${path} is the data directory of a single node: \`o3 start\` serves it`)
  }
  await refuseStrangers(env, path, marks)
  await env.disk.makeDirectory(path)
  const lock = await env.disk.lock(join(path, 'lock'))
  try {
    const laidOut = (await env.disk.stat(clusterFileIn(path))) !== undefined
    return { path, laidOut, release: () => lock.release() }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** In a directory that was claimed. The cluster file comes last: without it all of this is done again. */
export async function layOut(env: Env, directory: string, options: LayoutOptions): Promise<void> {
  const ports = new FreePorts(env)
  const { racks = 1 } = options
  const member = async (id: string): Promise<Member> => ({ id, ...(await ports.endpoint({ host: loopback, port: 0 })) })
  const rackOf = (index: number): { readonly rack?: string } =>
    racks > 1 ? { rack: `/rack${(index % racks) + 1}` } : {}
  const group = (role: Role, prefix: string): Promise<readonly Member[]> =>
    inOrder(options.shape[role], (index) => member(`${prefix}${index + 1}`))
  const cluster: Cluster = {
    clusterId: env.random.uuid(),
    ...defaultAuthority,
    revoked: [],
    sealingKey: 'keys/cluster.key',
    replication: options.replication ?? (options.shape.datanode >= 3 ? 'RATIS/THREE' : 'RATIS/ONE'),
    om: await group('om', 'om'),
    scm: await group('scm', 'scm'),
    datanodes: (await group('datanode', 'dn')).map((datanode, index) => ({
      ...datanode,
      disks: [],
      ...rackOf(index),
    })),
    gateways: await inOrder(options.shape.gateway, async (index) => ({
      ...(await member(`gw${index + 1}`)),
      // Fewer of them would leave the datanodes of the other racks without readers.
      ...(options.shape.gateway >= racks ? rackOf(index) : {}),
      s3: await ports.endpoint(index === 0 ? options.s3 : { ...options.s3, port: 0 }, preferredS3Port),
      native: await ports.endpoint(index === 0 ? options.native : { ...options.native, port: 0 }),
      admin: await ports.endpoint(index === 0 ? options.admin : { ...options.admin, port: 0 }),
    })),
  }
  await env.disk.makeDirectory(join(directory, 'keys'))
  await makeHexKey(env, join(directory, cluster.sealingKey))
  await layFoundersDown(env, directory, [...cluster.om, ...cluster.scm])
  await replaceFile(env, clusterFileIn(directory), formatClusterFile(cluster))
}

/**
 * The authority of a cluster, and the administrator's identity; in a directory that was claimed. A cluster of a release
 * before certificates gets them here, at its next start.
 */
export async function certify(env: Env, directory: string): Promise<void> {
  const cluster = await readCluster(env, clusterFileIn(directory))
  await settleAuthority(env, cluster)
  await settleIdentity(env, adminHolder(cluster))
}

const loopback = '127.0.0.1'

async function inOrder<T>(count: number, make: (index: number) => Promise<T>): Promise<readonly T[]> {
  const made: T[] = []
  for (let index = 0; index < count; index++) made.push(await make(index))
  return made
}

/** Below the range from which systems take the ports of outgoing connections: such a one is not free when we come back. */
const lowestPort = 20_000
const highestPort = 31_999
const maxTries = 200

class FreePorts {
  private readonly env: Env
  private readonly given = new Set<number>()

  constructor(env: Env) {
    this.env = env
  }

  /** The port that is named; else the preferred one, if it is free; else any. 0 means any. */
  async endpoint({ host, port }: Listening, preferred?: number): Promise<Endpoint> {
    if (port !== undefined && port !== 0) {
      await tryPort(this.env, { host, port })
      this.given.add(port)
      return { host, port }
    }
    if (port === undefined && preferred !== undefined && (await this.take(host, preferred))) {
      return { host, port: preferred }
    }
    for (let left = maxTries; left > 0; left--) {
      const drawn = lowestPort + Math.floor(this.env.random.fraction() * (highestPort - lowestPort + 1))
      if (await this.take(host, drawn)) return { host, port: drawn }
    }
    throw new StoreError('Busy', `no port of ${host} from ${lowestPort} to ${highestPort} is free`)
  }

  private async take(host: string, port: number): Promise<boolean> {
    if (this.given.has(port)) return false
    try {
      await tryPort(this.env, { host, port })
      this.given.add(port)
      return true
    } catch (error) {
      if (isStoreError(error, 'Busy')) return false
      throw error
    }
  }
}
