/**
 * Who may call what, in one table. Default is no: a method without a row is not served, and the compiler misses the rows of
 * the services' methods. Two rules look further than at the role, where the payload is read: messages of a group are taken
 * from its members, each in its own name (`raftMethods`), and a datanode reports for itself only (`serveScm`).
 */

import { StoreError, assert } from '@o3/common/errors'
import type { RpcMethods } from '@o3/common/rpc'
import type { ExchangeName, ListingName } from '@o3/hdds/rpc'
import type { OmMethods } from '@o3/om/rpc'
import type { ScmMethods } from '@o3/scm/rpc'
import type { Role } from '../cluster-file/cluster-file.ts'
import type { ClusterPeer, PeerRole } from './wire.ts'

/** `peers`: processes of the role that serves it. */
type Caller = PeerRole | 'peers'

type ServiceMethod = keyof OmMethods | keyof ScmMethods | ExchangeName | ListingName

type OwnMethod =
  | 'raft.messages.1'
  | 'role.status.1'
  | 'group.status.1'
  | 'group.checkpoint.1'
  | 'group.transfer.1'
  | 'group.change.1'
  | 'scm.signCertificate.1'
  | 'scm.join.1'
  | 'cluster.children.1'
  | 'cluster.stop.1'

export type GuardedMethod = ServiceMethod | OwnMethod

const gateways = ['gateway'] as const
const administrators = ['admin'] as const
const bytes = ['gateway', 'datanode'] as const
const replicas = ['datanode', 'admin'] as const

export const mayCall = {
  'om.execute.1': gateways,
  'om.getVolume.1': gateways,
  'om.listVolumes.1': gateways,
  'om.getBucket.1': gateways,
  'om.listBuckets.1': gateways,
  'om.getKey.1': gateways,
  'om.listKeys.1': gateways,
  'om.getUpload.1': gateways,
  'om.listUploads.1': gateways,
  'om.listParts.1': gateways,
  'om.getParts.1': gateways,
  'om.getUser.1': gateways,
  'om.listUsers.1': gateways,
  'om.getAccessKey.1': gateways,
  'om.listAccessKeys.1': gateways,
  'om.leaseBlocks.1': gateways,
  'om.lookup.1': gateways,
  'om.audit.1': ['gateway', 'admin'],

  'scm.register.1': ['datanode'],
  'scm.heartbeat.1': ['datanode'],
  'scm.allocateBlocks.1': ['om'],
  'scm.deleteBlocks.1': ['om'],
  'scm.locate.1': ['om', 'gateway', 'datanode'],
  'scm.listNodes.1': ['om', 'gateway', 'admin'],
  'scm.listContainers.1': ['om', 'gateway', 'admin'],
  'scm.closeContainer.1': ['om', 'gateway', 'admin'],
  'scm.summary.1': ['om', 'gateway', 'admin'],
  'scm.secretKeys.1': ['om', 'datanode'],
  'scm.rotateSecretKey.1': administrators,
  'scm.listPipelines.1': ['gateway', 'admin'],
  'scm.closePipeline.1': administrators,
  'scm.containerInfo.1': administrators,
  'scm.setOperational.1': administrators,
  'scm.safemode.1': ['gateway', 'admin'],
  'scm.exitSafemode.1': administrators,
  'scm.deletedBlocks.1': administrators,
  'scm.replicationReport.1': administrators,
  'scm.balancer.1': administrators,
  'scm.setBalancer.1': administrators,
  'scm.signCertificate.1': ['scm', 'om', 'datanode', 'gateway'],
  'scm.join.1': ['stranger'],

  'hdds.writeBlock.1': bytes,
  'hdds.openWriter.1': bytes,
  'hdds.read.1': bytes,
  'hdds.readSmall.1': bytes,
  'hdds.createContainer.1': replicas,
  'hdds.closeContainer.1': replicas,
  'hdds.deleteContainer.1': replicas,
  'hdds.deleteBlocks.1': replicas,
  'hdds.compact.1': replicas,
  'hdds.agreeBlock.1': bytes,
  'hdds.listBlocks.2': replicas,
  'hdds.summarizeReplica.1': ['datanode'],
  'hdds.listReplica.1': ['datanode'],
  'hdds.readBlocks.1': ['datanode'],
  'hdds.createPipeline.1': administrators,
  'hdds.closePipeline.1': administrators,
  'hdds.pipelines.1': replicas,
  'hdds.containers.3': replicas,
  'hdds.disks.2': replicas,
  'hdds.scrubContainer.1': replicas,
  'hdds.findings.1': replicas,

  'raft.messages.1': ['peers'],
  'cluster.children.1': administrators,
  'cluster.stop.1': administrators,
  'role.status.1': administrators,
  'group.status.1': ['peers', 'datanode', 'admin'],
  'group.checkpoint.1': administrators,
  'group.transfer.1': administrators,
  'group.change.1': administrators,
} as const satisfies Record<GuardedMethod, readonly Caller[]>

/** Who serves: a process, or the command that runs a cluster on one machine, which is an administrator's. */
type ServerRole = Role | 'admin'

/** Whether a peer may call a method of a process of the role `server`. */
export function isAllowed(method: string, server: ServerRole, peer: ClusterPeer): boolean {
  const callers = callersOf(method)
  return callers.some((caller) => caller === peer.role || (caller === 'peers' && peer.role === server))
}

/** Asks the table before each call: `AccessDenied`. Every method must have its row. */
export function guarded(server: ServerRole, methods: RpcMethods<ClusterPeer>): RpcMethods<ClusterPeer> {
  return Object.fromEntries(
    Object.entries(methods).map(([name, handler]) => {
      assert(callersOf(name).length > 0, `${name} has a row in the table of authorisation`)
      return [
        name,
        (call) => {
          if (isAllowed(name, server, call.peer)) return handler(call)
          const who = call.peer.role === 'stranger' ? 'somebody without a certificate' : `a ${call.peer.role}`
          throw new StoreError('AccessDenied', `${who} may not call ${name}`)
        },
      ]
    }),
  )
}

function callersOf(method: string): readonly Caller[] {
  return Object.hasOwn(mayCall, method) ? mayCall[method as GuardedMethod] : []
}
