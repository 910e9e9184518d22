/** Where containers are, as far as this process remembers. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { isAnswer } from '@o3/common/rpc'
import type {
  ContainerId,
  DatanodeId,
  EcLayout,
  PipelineId,
  ReplicaLocation,
  ReplicationConfig,
  ScmLocationProtocol,
} from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import type { Datanode, PipelineMembership } from '../api/api.ts'
import { atMost } from '../core/at-most.ts'
import { unknownStanding } from '../core/replica-order.ts'
import type { ReplicaStanding } from '../core/replica-order.ts'

/** A datanode as the block client calls it. */
export type BlockReplica = Datanode & Pick<PipelineMembership, 'agreeBlock'>

/** The datanode with this id, in this process or at this address; undefined when it is not known. */
export type FindDatanode = (id: DatanodeId, address: string | undefined) => BlockReplica | undefined

/** A datanode, shared by all its containers: where it was last said to be, and how it has served. */
export interface KnownDatanode {
  readonly id: DatanodeId
  address: string | undefined
  rack: string | undefined
  standing: ReplicaStanding
}

/** Where the shards of an erasure-coded container are. */
export interface EncodedPlace {
  readonly container: ContainerId
  readonly ec: EcLayout
}

export interface KnownPlace {
  readonly container: ContainerId
  readonly replication: ReplicationConfig
  /** While it takes writes through one. */
  readonly pipeline: PipelineId | undefined
  readonly members: readonly KnownDatanode[]
  /** Of an erasure-coded container: then it has no members. */
  readonly encoded: EncodedPlace | undefined
  readonly locatedMs: number
}

/** Places of containers that are remembered. */
const maxRememberedContainers = 16 * 1024
const maxRememberedDatanodes = 4 * 1024
/** SCM is not asked for one container more often than this because of a doubt. */
const doubtMs = 5_000

/** Bounded: beyond it the places that were not used for longest are asked for again. */
export class ContainerPlaces {
  private readonly locations: ScmLocationProtocol
  private readonly clock: Clock
  private readonly containers = new LRUCache<ContainerId, KnownPlace>(atMost(maxRememberedContainers))
  private readonly datanodes = new LRUCache<DatanodeId, KnownDatanode>(atMost(maxRememberedDatanodes))
  /** Who needs the place of a container that is being asked for waits for the same answer. */
  private readonly asking = new Map<ContainerId, Promise<KnownPlace>>()

  constructor(locations: ScmLocationProtocol, clock: Clock) {
    this.locations = locations
    this.clock = clock
  }

  /** What is remembered. */
  get(container: ContainerId): KnownPlace | undefined {
    return this.containers.get(container)
  }

  /** What SCM says now. `ContainerNotFound`, `Unavailable`. */
  locate(container: ContainerId): Promise<KnownPlace> {
    const asked = this.asking.get(container)
    if (asked !== undefined) return asked
    const asking = this.ask(container).finally(() => this.asking.delete(container))
    this.asking.set(container, asking)
    return asking
  }

  /** What SCM says now, after `failure` at the remembered place. Where it cannot say, the failure is the answer. */
  async locateAgain(container: ContainerId, failure: unknown): Promise<KnownPlace> {
    this.containers.delete(container)
    try {
      return await this.locate(container)
    } catch (error) {
      if (isStoreError(error, 'ContainerNotFound')) throw error
      throw failure
    }
  }

  /** A replica or a shard was not where it is said to be, and others served: the next caller asks SCM, not too often. */
  doubt(place: KnownPlace): void {
    if (this.containers.get(place.container) !== place) return
    if (this.clock.monotonicMs() - place.locatedMs >= doubtMs) this.containers.delete(place.container)
  }

  private async ask(container: ContainerId): Promise<KnownPlace> {
    const found = await this.locations.locate(container)
    if (found.replicas.length === 0 && found.ec === undefined) throw unreachableContainer(container)
    const place: KnownPlace = {
      container,
      replication: found.replication,
      pipeline: found.state === 'OPEN' ? found.pipeline : undefined,
      members: found.ec === undefined ? found.replicas.map((replica) => this.datanode(replica)) : [],
      encoded: found.ec === undefined ? undefined : { container, ec: found.ec },
      locatedMs: this.clock.monotonicMs(),
    }
    this.containers.set(container, place)
    return place
  }

  private datanode({ datanode: id, address, rack }: ReplicaLocation): KnownDatanode {
    const known = this.datanodes.get(id) ?? { id, address, rack, standing: unknownStanding }
    // Where it is now, it may be another process: what the old one did says little about it.
    if (known.address !== address) known.standing = unknownStanding
    known.address = address
    known.rack = rack
    this.datanodes.set(id, known)
    return known
  }
}

/** Whether the datanode is in this process, whose datanode is `local`: then there is no wire to it. */
export function isHere({ id, address }: KnownDatanode, local: DatanodeId | undefined): boolean {
  return address === undefined || id === local
}

/**
 * Whether the failure says something of the datanode, and not only of what it was asked for: a closed container is
 * `Unavailable` too, and its datanode as good as before.
 */
export function isFaultOf(member: KnownDatanode, error: unknown, local: DatanodeId | undefined): boolean {
  if (!(error instanceof StoreError)) return false
  if (error.code === 'VolumeFailed' || error.category === 'unknown-outcome' || error.category === 'internal')
    return true
  return error.category === 'unavailable' && !isHere(member, local) && !isAnswer(error)
}

/** Nothing is known of a datanode that has the container. */
export function unreachableContainer(container: ContainerId): StoreError {
  return new StoreError('Unavailable', `no datanode with container ${container} can be reached`, {
    details: { container },
  })
}

/** Shard by shard the same containers at the same places, in whatever order the replicas of one are named. */
export function isSameLayout(a: EncodedPlace, b: EncodedPlace): boolean {
  return layoutText(a) === layoutText(b)
}

function layoutText({ ec }: EncodedPlace): string {
  const shards = ec.shards.map(({ container, replicas }) => {
    return `${container} ${replicas
      .map(({ datanode, address }) => `${datanode}@${address ?? ''}`)
      .toSorted()
      .join()}`
  })
  return shards.join(';')
}

/** For a comparison before and after SCM was asked: the addresses of datanodes change in place. */
export function placeText({ pipeline, members }: KnownPlace): string {
  return `${pipeline ?? ''} ${members.map(({ id, address }) => `${id}@${address ?? ''}`).join(' ')}`
}
