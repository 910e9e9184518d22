/** A group of a cluster as an administrator sees it, from outside: its members are those that the cluster file has. */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { GroupClient, RpcClient } from '@o3/common/rpc'
import { RemoteScm } from '@o3/scm/client'
import { formatClusterFile, parseClusterFile } from '../cluster-file/cluster-file.ts'
import type { Cluster, Member } from '../cluster-file/cluster-file.ts'
import { readCluster } from '../cluster-file/read-cluster.ts'
import { readSmallFile, replaceFile } from '../data-directory.ts'
import { adminWire } from '../pki/administration.ts'
import type { Wire } from '../pki/wire.ts'
import { addressOf, describeEndpoint } from '../roles/endpoint.ts'
import { groupMethods } from '../roles/group-admin.ts'
import type { GroupChange, GroupMemberStatus, GroupTransfer } from '../roles/group-admin.ts'

export type { FollowerStatus, GroupMemberStatus } from '../roles/group-admin.ts'

export type GroupName = 'om' | 'scm'

export interface MemberReport {
  readonly id: string
  readonly address: string
  /** Undefined: it does not answer. */
  readonly status: GroupMemberStatus | undefined
  /** Why it does not answer, or what is wrong with it, in one sentence. */
  readonly problem?: string
}

const deadlineMs = 30_000
/** A change takes two commits, each of which may wait for a slow disk. */
const changeTryMs = 10_000
const statusDeadlineMs = 2_000

/** Every call rejects as `GroupClient.call` does, beside the refusals of `GroupChange`. */
export class GroupControl {
  private readonly env: Env
  private readonly file: string
  private readonly name: GroupName
  private readonly wire: Wire
  private readonly members: readonly Member[]
  private readonly group: GroupClient

  private constructor(parts: {
    readonly env: Env
    readonly file: string
    readonly name: GroupName
    readonly wire: Wire
    readonly members: readonly Member[]
  }) {
    const { env, name, wire, members } = parts
    this.env = env
    this.file = parts.file
    this.name = name
    this.wire = wire
    this.members = members
    this.group = new GroupClient({
      env: wire.env,
      name,
      authentication: wire.callsTo(name),
      members: members.map((member) => ({ id: member.id, address: addressOf(member) })),
    })
  }

  /** `InvalidArgument`, `Incompatible`, `Damaged` for what is wrong with the file or the identity of the administrator. */
  static async open(env: Env, file: string, name: GroupName): Promise<GroupControl> {
    const cluster = await readCluster(env, file)
    return new GroupControl({ env, file, name, wire: await adminWire(env, cluster), members: cluster[name] })
  }

  close(): void {
    this.group.close()
  }

  /** Of the group of SCM: the next key of block tokens before its time. Resolves with its id; see `ScmAdminProtocol`. */
  rotateSecretKey(): Promise<number> {
    return new RemoteScm(this.group).rotateSecretKey()
  }

  /** Of the members of the file, and those that the group has beside them. */
  async report(): Promise<readonly MemberReport[]> {
    const reports = await Promise.all(this.members.map((member) => this.ask(member.id, addressOf(member))))
    const known = new Set(reports.map(({ id }) => id))
    const newest = newestOf(reports)
    const others = Object.entries(newest?.addresses ?? {}).filter(([id]) => !known.has(id))
    const more = others.map(([id, address]): MemberReport => {
      return { id, address, status: undefined, problem: 'it is not in the cluster file' }
    })
    return [...reports.map(withProblem), ...more]
  }

  /** The leader's view. */
  async leader(): Promise<GroupMemberStatus> {
    const leading = newestOf(await this.report())
    if (leading?.role === 'leader') return leading
    throw new StoreError('Unavailable', `no member of ${this.name} says that it leads`)
  }

  /** To `to`, or to the voter that is furthest. Resolves with who leads then. */
  async transfer(to: string | undefined): Promise<GroupMemberStatus> {
    await this.callLeader(groupMethods.transfer, to === undefined ? {} : { to }, 'if-not-begun')
    const untilMs = this.env.clock.monotonicMs() + deadlineMs
    for (;;) {
      const newest = newestOf(await this.report())
      if (newest?.role === 'leader' && (to === undefined || newest.id === to)) return newest
      if (this.env.clock.monotonicMs() > untilMs) {
        throw new StoreError('DeadlineExceeded', `nobody has taken the lead of ${this.name} over`)
      }
      await this.env.clock.sleep(50)
    }
  }

  /** A checkpoint of one member, or of each in the file. */
  async checkpoint(id: string | undefined): Promise<readonly MemberReport[]> {
    const asked = this.members.filter((member) => id === undefined || member.id === id)
    if (asked.length === 0) throw this.unknown(id ?? '')
    return Promise.all(asked.map((member) => this.ask(member.id, addressOf(member), groupMethods.checkpoint)))
  }

  /**
   * The group first, then the file: repeated after a break-off, it does what is left. The member is a learner then, and may
   * be started from the file.
   */
  async addLearner(member: Member): Promise<void> {
    await this.editFile('check', (members) => withMember(members, member))
    await this.change({ kind: 'add-learner', id: member.id, address: describeEndpoint(member) })
    await this.editFile('write', (members) => withMember(members, member))
  }

  /** `Busy` while it lags. */
  promote(id: string): Promise<void> {
    return this.change({ kind: 'promote', id })
  }

  /** Why a member of the file does not answer, in one sentence; undefined when it does. */
  async problemOf(id: string): Promise<string | undefined> {
    const { [this.name]: members } = await readCluster(this.env, this.file)
    const member = members.find((each) => each.id === id)
    return member === undefined ? 'it is not in the cluster file' : (await this.ask(id, addressOf(member))).problem
  }

  async remove(id: string): Promise<void> {
    const reports = await this.report()
    if (!reports.some((report) => report.id === id)) throw this.unknown(id)
    await this.change({ kind: 'remove', id })
    await this.editFile('write', (members) => members.filter((member) => member.id !== id))
  }

  private async change(change: GroupChange): Promise<void> {
    await this.callLeader(groupMethods.change, change, 'whenever')
  }

  private async callLeader(
    method: string,
    asked: GroupChange | GroupTransfer,
    repeat: 'whenever' | 'if-not-begun',
  ): Promise<void> {
    const payload = (term: number): Uint8Array => Buffer.from(JSON.stringify({ ...asked, term }))
    try {
      await this.group.call(method, payload, { repeat, deadlineMs, tryMs: changeTryMs })
    } catch (error) {
      // Said of one member, by the call that must not be repeated.
      if (!isStoreError(error, 'DeadlineExceeded', 'OutcomeUnknown') || error.details['group'] !== undefined)
        throw error
      const message = `${this.name} has not said within ${deadlineMs / 1000} s whether it is done: ${error.message}`
      throw new StoreError(error.code, message, { details: error.details, cause: error })
    }
  }

  private async ask(
    id: string,
    address: ReturnType<typeof addressOf>,
    method: string = groupMethods.status,
  ): Promise<MemberReport> {
    const { wire, name } = this
    const known = { id, address: address.kind === 'tcp' ? describeEndpoint(address) : address.path }
    const client = new RpcClient({ ...wire.env, address, authentication: wire.callsTo(name), serverId: id })
    try {
      const ms = method === groupMethods.status ? statusDeadlineMs : deadlineMs
      const { payload } = await client.call(method, new Uint8Array(0), { deadlineMs: ms })
      return { ...known, status: JSON.parse(Buffer.from(payload).toString('utf8')) as GroupMemberStatus }
    } catch (error) {
      if (!isStoreError(error)) throw error
      return { ...known, status: undefined, problem: silenceOf(error) }
    } finally {
      client.close()
    }
  }

  /** What the file says of this group, once more: somebody may have changed it since. */
  private async editFile(
    how: 'check' | 'write',
    edit: (members: readonly Member[]) => readonly Member[],
  ): Promise<void> {
    const text = await readSmallFile(this.env, this.file)
    if (text === undefined) throw new StoreError('InvalidArgument', `there is no cluster file ${this.file}`)
    const before = parseClusterFile(text, this.file)
    const after: Cluster = { ...before, [this.name]: edit(before[this.name]) }
    const fresh = formatClusterFile(after)
    parseClusterFile(fresh, this.file)
    if (how === 'write' && fresh !== formatClusterFile(before)) await replaceFile(this.env, this.file, fresh)
  }

  private unknown(id: string): StoreError {
    const ids = this.members.map((member) => member.id).join(', ')
    return new StoreError('InvalidArgument', `${this.name} has no member ${id}; there is ${ids}`)
  }
}

function silenceOf(error: StoreError): string {
  return error.code === 'DeadlineExceeded' ? 'it is there, and does not answer in time' : error.message
}

function withProblem(report: MemberReport): MemberReport {
  const { outOfSpace = false, isDamaged = false } = report.status ?? {}
  if (isDamaged) return { ...report, problem: 'its rows are damaged: stop it, and give it an empty directory' }
  return outOfSpace ? { ...report, problem: 'its disk is full' } : report
}

function withMember(members: readonly Member[], added: Member): readonly Member[] {
  return [...members.filter(({ id }) => id !== added.id), added]
}

/** Of the highest term; of those in one, the leader's word counts. */
function newestOf(reports: readonly MemberReport[]): GroupMemberStatus | undefined {
  const answers = reports.flatMap(({ status }) => status ?? [])
  const [newest] = answers.toSorted(
    (a, b) => b.term - a.term || Number(b.role === 'leader') - Number(a.role === 'leader'),
  )
  return newest
}
