import type { NodeId } from '../../core/entry.ts'
import type { SimCluster } from './sim-cluster.ts'
import type { SimMember } from './sim-member.ts'

/** What a member that lost something has not yet made up for. */
const isBad = ({ disk }: SimMember): boolean => !disk.hardState.mayVote || disk.beforeLoss !== undefined

/**
 * Says whether a disk may lose something now. Raft promises nothing when a majority of the copies of an entry is gone, so in
 * every set of voters that somebody may decide by, members that lost something and have not recovered stay a minority: every
 * majority that could elect has a member of every majority that could have committed.
 */
export class FaultAtlas {
  readonly #cluster: SimCluster

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
  }

  mayLose(id: NodeId): boolean {
    const member = this.#cluster.members.get(id)
    if (member === undefined || isBad(member)) return false
    return this.#votingSets().every((voters) => this.#badAmong(voters, id) <= (voters.length - 1) / 2)
  }

  /** Whether these would be a group that can go on: an operator looks before. */
  mayDecide(voters: readonly NodeId[]): boolean {
    return this.#badAmong(voters, undefined) <= (voters.length - 1) / 2
  }

  /** Members that, alone, can elect and commit by every configuration in use, whatever it is. */
  isQuorum(ids: ReadonlySet<NodeId>): boolean {
    const isGood = (id: NodeId): boolean => {
      const member = this.#cluster.members.get(id)
      return ids.has(id) && member !== undefined && !isBad(member)
    }
    return this.#votingSets().every((voters) => voters.filter(isGood).length > voters.length / 2)
  }

  #votingSets(): readonly (readonly NodeId[])[] {
    return this.#cluster
      .configurations()
      .flatMap(({ voters, outgoing }) => [voters, outgoing])
      .filter((voters) => voters.length > 0)
  }

  #badAmong(voters: readonly NodeId[], next: NodeId | undefined): number {
    return voters.filter((id) => {
      const member = this.#cluster.members.get(id)
      return id === next || (member !== undefined && isBad(member))
    }).length
  }
}
