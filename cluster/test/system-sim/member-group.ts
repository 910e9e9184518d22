import type { Clock } from '@o3/common/env'
import type { SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { noConfiguration, type Configuration } from '@o3/ratis/node'
import { addressOf, type GroupMember } from './group-member.ts'
import { GroupWatch } from './group-watch.ts'
import type { Accuse } from './violation.ts'

export interface MemberGroupOptions<Command, Reply> {
  /** Its members are called `om1`, `om2` … */
  readonly name: 'om' | 'scm'
  readonly size: number
  readonly accuse: Accuse
  readonly tell: (what: string) => void
  /** Without a configuration: one that waits until a leader finds it. */
  readonly make: (id: string, watch: GroupWatch, bootstrap: Configuration | undefined) => GroupMember<Command, Reply>
}

/** A group as its operator sees it: who is in it, who leads, and who takes the place of whom. */
export class MemberGroup<Command, Reply> {
  readonly name: string
  readonly watch: GroupWatch
  /** Of the beginning; clients and peers know them. */
  readonly firstIds: readonly string[]
  /** All that there are or were, but for those that left for good. */
  readonly members: GroupMember<Command, Reply>[]
  private readonly options: MemberGroupOptions<Command, Reply>
  /** Who may decide: one set of voters, or two while one takes the place of the other. */
  private sets: readonly (readonly string[])[]
  private made: number

  constructor(options: MemberGroupOptions<Command, Reply>) {
    const { name, size, accuse, tell, make } = options
    this.options = options
    this.name = name
    this.made = size
    this.firstIds = Array.from({ length: size }, (_, n) => `${name}${n + 1}`)
    this.sets = [this.firstIds]
    const votersOf = (ids: readonly string[]) => this.members.filter(({ id }) => ids.includes(id))
    this.watch = new GroupWatch({ group: name, voterSets: () => this.sets.map(votersOf), accuse, tell })
    this.members = this.firstIds.map((id) => make(id, this.watch, bootstrapOf(this.firstIds)))
  }

  get leader(): GroupMember<Command, Reply> | undefined {
    const leaders = this.members.filter(({ life }) => life?.raft.mayPropose === true)
    return leaders.toSorted((a, b) => (b.life?.raft.term ?? 0) - (a.life?.raft.term ?? 0))[0]
  }

  get isChanging(): boolean {
    return this.sets.length > 1
  }

  /** Those that vote, or will, or did a moment ago. */
  get voters(): readonly GroupMember<Command, Reply>[] {
    const ids = new Set(this.sets.flat())
    return this.members.filter(({ id }) => ids.has(id))
  }

  /** One more may lose something: in every set of voters a minority has then. */
  mayLose(member: { readonly id: string; readonly isBad: boolean }): boolean {
    if (this.isChanging || member.isBad) return false
    const bad = this.voters.filter((each) => each.id !== member.id && each.isBad)
    return 2 * (bad.length + 1) < this.voters.length
  }

  /**
   * A new member takes the place of an old one, whatever happens meanwhile; one of the first stays always, for clients know
   * no others at first. Resolves when it is done, or `isOver`; what was begun then goes on by itself. Answers who came and
   * who left.
   */
  async replaceOne(parts: {
    readonly clock: Clock
    readonly random: SimRandom
    readonly isOver: () => boolean
    readonly came: (member: GroupMember<Command, Reply>) => void
  }): Promise<{ readonly left: GroupMember<Command, Reply> } | undefined> {
    const { clock, random, isOver, came } = parts
    const { voters } = this
    const isFirst = ({ id }: { readonly id: string }): boolean => this.firstIds.includes(id)
    const firsts = voters.filter(isFirst).length
    const leaving = voters.filter((member) => firsts > 1 || !isFirst(member))
    const left = leaving[random.below(leaving.length)]
    if (left === undefined || this.isChanging || voters.some((member) => member.isBad)) return undefined
    const member = this.options.make(`${this.name}${++this.made}`, this.watch, undefined)
    this.members.push(member)
    const ids = [...voters.filter((each) => each !== left).map(({ id }) => id), member.id]
    this.sets = [voters.map(({ id }) => id), ids]
    this.options.tell(`  ${member.id} is to take the place of ${left.id}`)
    came(member)
    while (!isOver()) {
      if (await this.isChangedTo(ids)) {
        this.sets = [ids]
        this.options.tell(`  ${ids.join(' ')} are the members of ${this.name}`)
        return { left }
      }
      await clock.sleep(200)
    }
    return undefined
  }

  /** Nobody changes anything any more: who is in the group now? */
  settle(): void {
    const { leader } = this
    if (leader?.life !== undefined) this.sets = [leader.life.raft.configuration.voters]
  }

  private async isChangedTo(ids: readonly string[]): Promise<boolean> {
    const { leader } = this
    if (leader?.life === undefined) return false
    try {
      const done = leader.life.raft.changeMembership({ voters: ids, learners: [], addresses: addressesOf(ids) })
      return (await leader.life.process.whileUp(done)) !== 'down'
    } catch (error) {
      if (!isStoreError(error)) throw error
      return false
    }
  }
}

const addressesOf = (ids: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(ids.map((id) => [id, addressOf(id)]))

function bootstrapOf(ids: readonly string[]): Configuration {
  return { ...noConfiguration, voters: ids, addresses: addressesOf(ids) }
}
