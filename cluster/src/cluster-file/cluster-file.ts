/**
 * The cluster file: who belongs to a cluster and where each process listens. `o3 cluster init` writes it, every process
 * of the cluster reads it, and a person may; what it says wrong is said with the place.
 */

import { StoreError } from '@o3/common/errors'
import { replicationConfigs } from '@o3/scm/api'
import type { ReplicationConfig } from '@o3/scm/api'
import { Fields, isObject } from './fields.ts'

export const clusterFileVersion = 2
export const clusterFileName = 'cluster.json'

export type Role = 'om' | 'scm' | 'datanode' | 'gateway'

/** In the order in which one needs the other: a start goes from left to right, a stop from right to left. */
export const roles: readonly Role[] = ['scm', 'om', 'datanode', 'gateway']

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** One process, and where it answers the other processes. */
export interface Member extends Endpoint {
  readonly id: string
}

export interface DatanodeMember extends Member {
  /** Directories for blocks, one per physical disk. Empty: `disk` in its data directory. */
  readonly disks: readonly string[]
  /** Where it stands: `/rack` or `/room/rack`. Replicas are spread over racks. Default `/default`. */
  readonly rack?: string
}

export interface GatewayMember extends Member {
  /** Where it stands, as of a datanode: it reads from replicas there first. Default: it has no preference. */
  readonly rack?: string
  /** For clients; these three may be reached from other hosts, as those of a single node. */
  readonly s3: Endpoint
  readonly native: Endpoint
  readonly admin: Endpoint
}

export interface Cluster {
  readonly clusterId: string
  /** Paths, relative to the file. The certificate of the cluster's authority, by which its processes know each other. */
  readonly ca: string
  /** Its private key, readable to its owner only: for SCM's hosts, and for whoever administers the cluster. */
  readonly caKey: string
  /** Serial numbers of certificates that count no more. */
  readonly revoked: readonly string[]
  /** What seals the secrets of access keys; for gateways only. */
  readonly sealingKey: string
  /** Of buckets whose creator asks for nothing else. Default `RATIS/ONE`. */
  readonly replication?: ReplicationConfig
  readonly om: readonly Member[]
  readonly scm: readonly Member[]
  readonly datanodes: readonly DatanodeMember[]
  readonly gateways: readonly GatewayMember[]
}

const maxMembers = 1000

/** Where `o3 cluster init` puts them. */
export const defaultAuthority = { ca: 'keys/ca.pem', caKey: 'keys/ca.key' } as const

/** `name` stands in messages. `Incompatible` for a newer version, else `InvalidArgument` with the place. */
export function parseClusterFile(text: string, name: string): Cluster {
  const content = parseJson(text, name)
  const fields = new Fields(content, name)
  const version = fields.integer('version', 1, Number.MAX_SAFE_INTEGER)
  if (version > clusterFileVersion) {
    throw new StoreError(
      'Incompatible',
      `${name} has version ${version}; this release knows ${clusterFileVersion}: use a newer O3`,
    )
  }
  const cluster: Cluster = {
    clusterId: fields.text('clusterId'),
    ...readAuthority(fields, version),
    sealingKey: fields.text('sealingKey'),
    ...readReplication(fields),
    om: fields.list('om', maxMembers, readMember),
    scm: fields.list('scm', maxMembers, readMember),
    datanodes: fields.list('datanodes', maxMembers, readDatanode),
    gateways: fields.list('gateways', maxMembers, readGateway),
  }
  fields.refuseOthers()
  checkMembers(cluster, name)
  return cluster
}

export function formatClusterFile(cluster: Cluster): string {
  return `${JSON.stringify({ version: clusterFileVersion, ...cluster }, null, 2)}\n`
}

/** `id=host:port,…`; an IPv6 address stands in brackets. `InvalidArgument`, which names `place` where there is one. */
export function parsePeers(text: string, place?: string): readonly Member[] {
  const prefix = place === undefined ? '' : `${place}: `
  return text.split(',').map((item) => {
    const match = /^\s*([^=\s]+)=(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})\s*$/.exec(item)
    const [, id, six, name, port] = match ?? []
    const host = six ?? name
    if (id === undefined || host === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw new StoreError('InvalidArgument', `${prefix}"${item}" is not of the form id=host:port`)
    }
    checkId(id, `${prefix}${id}`)
    checkHost(host, `${prefix}${id}`)
    return { id, host, port: Number(port) }
  })
}

/** Of a role, in the order of the file. */
export function membersOf(cluster: Cluster, role: Role): readonly Member[] {
  const lists = { om: cluster.om, scm: cluster.scm, datanode: cluster.datanodes, gateway: cluster.gateways }
  return lists[role]
}

function parseJson(text: string, name: string): Readonly<Record<string, unknown>> {
  try {
    const content: unknown = JSON.parse(text)
    if (isObject(content)) return content
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new StoreError('InvalidArgument', `${name} is not JSON: ${error.message}`)
  }
  throw new StoreError('InvalidArgument', `${name} is not a cluster file: it holds no object`)
}

/** Version 1 named a secret that all processes shared; its place was taken by certificates, which lie beside it. */
function readAuthority(fields: Fields, version: number): Pick<Cluster, 'ca' | 'caKey' | 'revoked'> {
  if (version === 1) {
    fields.text('secret')
    return { ...defaultAuthority, revoked: [] }
  }
  return { ca: fields.text('ca'), caKey: fields.text('caKey'), revoked: fields.texts('revoked') }
}

function readMember(fields: Fields): Member {
  const id = fields.text('id')
  checkId(id, fields.place('id'))
  const endpoint = readEndpoint(fields)
  checkHost(endpoint.host, fields.place('host'))
  return { id, ...endpoint }
}

function readDatanode(fields: Fields): DatanodeMember {
  return { ...readMember(fields), disks: fields.texts('disks'), ...readRack(fields) }
}

function readRack(fields: Fields): Pick<DatanodeMember, 'rack'> {
  const rack = fields.optionalText('rack')
  if (rack === undefined) return {}
  checkRack(rack, fields.place('rack'))
  return { rack }
}

function readGateway(fields: Fields): GatewayMember {
  const inside = (key: string): Endpoint => fields.inside(key, readEndpoint)
  return {
    ...readMember(fields),
    ...readRack(fields),
    s3: inside('s3'),
    native: inside('native'),
    admin: inside('admin'),
  }
}

function readEndpoint(fields: Fields): Endpoint {
  return { host: fields.text('host'), port: fields.integer('port', 1, 65_535) }
}

function readReplication(fields: Fields): Pick<Cluster, 'replication'> {
  const text = fields.optionalText('replication')
  return text === undefined ? {} : { replication: checkReplication(text, fields.place('replication')) }
}

/** `InvalidArgument`, at `place`, for what is none. */
export function checkReplication(text: string, place: string): ReplicationConfig {
  const found = replicationConfigs.find((config) => config === text)
  if (found !== undefined) return found
  throw new StoreError('InvalidArgument', `${place}: "${text}" is none of ${replicationConfigs.join(', ')}`)
}

function checkRack(rack: string, place: string): void {
  if (/^(?:\/[a-z0-9][a-z0-9._-]{0,62}){1,2}$/.test(rack)) return
  throw new StoreError('InvalidArgument', `${place}: "${rack}" is not of the form /rack or /room/rack`)
}

function checkId(id: string, place: string): void {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(id)) return
  throw new StoreError('InvalidArgument', `${place}: "${id}" is not 1 to 63 lower-case letters, digits and dashes`)
}

/** Where the others find a member: an address of everywhere is one of nowhere. */
function checkHost(host: string, place: string): void {
  if (host !== '0.0.0.0' && host !== '::' && !/[\s/]/.test(host)) return
  throw new StoreError('InvalidArgument', `${place}: ${host} is no address at which the other processes find it`)
}

function checkMembers(cluster: Cluster, name: string): void {
  const ids = new Map<string, string>()
  const ports = new Map<string, string>()
  const claim = (owners: Map<string, string>, what: string, owner: string): void => {
    const other = owners.get(what)
    if (other !== undefined) throw new StoreError('InvalidArgument', `${name}: ${other} and ${owner} both have ${what}`)
    owners.set(what, owner)
  }
  for (const role of roles) {
    const members = membersOf(cluster, role)
    if (members.length === 0) throw new StoreError('InvalidArgument', `${name}: there is no ${role}`)
    for (const { id, host, port } of members) {
      claim(ids, `the id ${id}`, `a ${role}`)
      claim(ports, `port ${port} of ${host}`, id)
    }
  }
  for (const gateway of cluster.gateways) {
    for (const kind of ['s3', 'native', 'admin'] as const) {
      claim(ports, `port ${gateway[kind].port} of ${gateway[kind].host}`, `${gateway.id} (${kind})`)
    }
  }
}
