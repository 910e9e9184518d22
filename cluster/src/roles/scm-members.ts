/**
 * The members of SCM, as a datanode talks with them: heartbeats go to each, or one that was added would begin to lead and
 * know no datanode. The cluster file says who they were at the start; from then on the leader of the group does.
 */

import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { GroupClient } from '@o3/common/rpc'
import type { ScmMember } from '@o3/hdds/module'
import { parsePeerAddress } from '@o3/ratis/node'
import { RemoteScm } from '@o3/scm/client'
import type { ProcessParts } from '../process/running-process.ts'
import { describeEndpoint } from './endpoint.ts'
import { groupMethods } from './group-admin.ts'
import type { GroupMemberStatus } from './group-admin.ts'
import type { Seat } from './role-process.ts'

/** A member at its address. */
export interface MemberTalk extends ScmMember {
  readonly address: string
  status(): Promise<GroupMemberStatus>
  close(): void
}

/** Who is told of members that come and go. */
export interface ScmListeners {
  addScmMember(member: ScmMember): void
  removeScmMember(id: string): Promise<void>
}

const everyMs = 5_000
const askDeadlineMs = 2_000

export class ScmMembers {
  private readonly talks = new Map<string, MemberTalk>()
  private readonly open: (id: string, address: string) => MemberTalk

  constructor(open: (id: string, address: string) => MemberTalk, addresses: Readonly<Record<string, string>>) {
    this.open = open
    for (const [id, address] of Object.entries(addresses)) this.talks.set(id, open(id, address))
  }

  get all(): readonly ScmMember[] {
    return [...this.talks.values()]
  }

  /** Asks who belongs to the group, again and again. Closes what it has opened when the process stops. */
  async follow(
    {
      env,
      log,
      lifecycle,
    }: Pick<ProcessParts, 'lifecycle'> & { readonly env: Pick<Env, 'clock' | 'tasks'>; readonly log: Logger },
    listeners: ScmListeners,
  ): Promise<void> {
    const running = env.tasks.spawn('members of SCM', async (signal) => {
      for (;;) {
        await env.clock.sleep(everyMs, signal)
        await this.refresh(listeners, log)
      }
    })
    await lifecycle.start('members of SCM', {
      start: () => {},
      stop: async () => {
        running.cancel()
        await running.done
      },
    })
  }

  close(): void {
    for (const talk of this.talks.values()) talk.close()
  }

  private async refresh(listeners: ScmListeners, log: Logger): Promise<void> {
    const addresses = await this.addressesOfLeader()
    // A group that names no addresses names nobody to talk with.
    if (addresses === undefined || Object.keys(addresses).length === 0) return
    for (const [id, talk] of this.talks) {
      if (addresses[id] === talk.address) continue
      this.talks.delete(id)
      await listeners.removeScmMember(id)
      talk.close()
      log.info({ scm: id, address: talk.address }, 'a member of SCM is gone')
    }
    for (const [id, address] of Object.entries(addresses)) {
      if (this.talks.has(id)) continue
      const talk = this.open(id, address)
      this.talks.set(id, talk)
      listeners.addScmMember(talk)
      log.info({ scm: id, address }, 'a member of SCM was added')
    }
  }

  /** One that was removed may not know it, and one that follows may be late. Undefined while nobody leads. */
  private async addressesOfLeader(): Promise<GroupMemberStatus['addresses'] | undefined> {
    const statuses = await Promise.all([...this.talks.values()].map((talk) => statusOf(talk)))
    const leaders = statuses.filter((status) => status?.role === 'leader')
    return leaders.toSorted((a, b) => (b?.term ?? 0) - (a?.term ?? 0))[0]?.addresses
  }
}

/** Undefined for one that does not answer, or is of a release that does not tell datanodes. */
async function statusOf(talk: MemberTalk): Promise<GroupMemberStatus | undefined> {
  try {
    return await talk.status()
  } catch (error) {
    if (!isStoreError(error)) throw error
    return undefined
  }
}

/** Those of the cluster file. */
export async function scmMembersOf(seat: Seat): Promise<ScmMembers> {
  const { cluster, lifecycle } = seat
  const addresses = Object.fromEntries(cluster.scm.map((member) => [member.id, describeEndpoint(member)]))
  const members = new ScmMembers((id, address) => talkTo(seat, id, address), addresses)
  await lifecycle.start('clients of the members of SCM', { start: () => {}, stop: () => members.close() })
  return members
}

function talkTo({ wire }: Seat, id: string, address: string): MemberTalk {
  const client = new GroupClient({
    env: wire.env,
    name: id,
    members: [{ id, address: parsePeerAddress(address) }],
    authentication: wire.callsTo('scm'),
  })
  return {
    id,
    address,
    scm: new RemoteScm(client),
    async status() {
      const options = { repeat: 'whenever', deadlineMs: askDeadlineMs } as const
      const payload = await client.call(groupMethods.status, new Uint8Array(0), options)
      return JSON.parse(Buffer.from(payload).toString('utf8')) as GroupMemberStatus
    },
    close: () => client.close(),
  }
}
