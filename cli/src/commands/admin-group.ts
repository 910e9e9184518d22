/** `o3 admin om …` and `o3 admin scm …`: who leads, who belongs to the group, checkpoints. */

import { GroupControl, parsePeers } from '@o3/cluster/admin'
import type { GroupName, Member, MemberReport } from '@o3/cluster/admin'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import type { Output } from '../output/output.ts'
import { clusterCommand } from '../remote/cluster-command.ts'
import type { ClusterAsked } from '../remote/cluster-command.ts'
import { hinted } from '../hints.ts'
import { until } from '../output/until.ts'

interface Asked<F> extends ClusterAsked<F> {
  readonly group: GroupControl
}

export function addAdminGroup(admin: Command, env: Environment, name: GroupName): Command {
  const command = admin.command(name).description(`the members of ${name}: who leads, who belongs to it`)
  const define = <F>(line: Command, run: (asked: Asked<F>) => Promise<void>): void => {
    clusterCommand<F>(line, env, async (asked) => {
      const group = await GroupControl.open(nodeEnv(), asked.file, name)
      try {
        await run({ ...asked, group })
      } catch (error) {
        if (!isStoreError(error, 'Unavailable', 'DeadlineExceeded', 'OutcomeUnknown')) throw error
        throw hinted(error, `\`o3 admin ${name} roles\` shows which members are up and vote: a majority must`)
      } finally {
        group.close()
      }
    })
  }

  define(command.command('roles').description('each member: its role, and how far it is'), async ({ group, out }) => {
    showRoles(out, await group.report())
  })
  if (name === 'scm') {
    const rotate = command.command('rotate-keys').description('make the next key of block tokens before its time')
    define(rotate, async ({ group, out }) => {
      const key = await group.rotateSecretKey()
      out.done({ key }, `key ${key} signs as soon as all have it; older ones are believed until they expire`)
    })
  }
  define<{ readonly to?: string }>(
    command.command('transfer').description('let another member lead').option('--to <id>', 'default: the furthest'),
    async ({ group, flags, out }) => {
      const { id, term } = await group.transfer(flags.to)
      out.done({ leader: id, term }, `${id} leads ${name} in term ${term}`)
    },
  )
  define(
    command
      .command('add')
      .argument('<id=host:port>')
      .description('take a member in: it learns, and votes when it has caught up'),
    async ({ group, file, argument, out }) => {
      const member = memberOf(argument)
      await group.addLearner(member)
      out.remark(`${member.id} belongs to ${name} as a learner. Start it, if it does not run:`)
      out.remark(`  o3 ${name} --cluster ${file} --id ${member.id} --data <its own directory>`)
      await promote({ group, name, id: member.id }, out)
      out.done({ added: member.id }, `${member.id} votes in ${name}`)
    },
  )
  define(
    command.command('remove').argument('<id>').description('take a member out, if a majority of the others is alive'),
    async ({ group, argument, out }) => {
      await group.remove(argument)
      out.done({ removed: argument }, `${argument} no longer belongs to ${name}; its process can be stopped`)
    },
  )
  define<{ readonly id?: string }>(
    command
      .command('snapshot')
      .description('a checkpoint now: the next start replays nothing of before')
      .option('--id <id>', 'of one member; default: of each'),
    async ({ group, flags, out }) => {
      const reports = await group.checkpoint(flags.id)
      for (const { id, status, problem } of reports) {
        const done = { id, ...(status === undefined ? { problem } : { checkpointIndex: status.checkpointIndex }) }
        out.done(done, status === undefined ? `${id}: ${problem}` : `${id}: up to entry ${status.checkpointIndex}`)
      }
      const failed = reports.find(({ status }) => status === undefined)
      if (failed !== undefined)
        throw new StoreError('Unavailable', `${failed.id} made no checkpoint: ${failed.problem}`)
    },
  )
  return command
}

function memberOf(argument: string): Member {
  const [member, ...others] = parsePeers(argument)
  if (member !== undefined && others.length === 0) return member
  throw new StoreError('InvalidArgument', `write one member as id=host:port, not "${argument}"`)
}

interface MemberRecord {
  readonly id: string
  readonly state: 'up' | 'down'
  readonly role: string
  readonly address: string
  readonly problem?: string
  readonly term?: number
  readonly appliedIndex?: number
  /** Entries that are committed and not applied here; unknown without a leader. */
  readonly lag?: number
}

function recordsOf(reports: readonly MemberReport[]): readonly MemberRecord[] {
  const statuses = reports.flatMap(({ status }) => status ?? [])
  const leading = statuses.find(({ role }) => role === 'leader')
  // One that is blank knows of no group, and one that is down says nothing: the others know.
  const [newest] = statuses.filter(({ voters }) => voters.length > 0).toSorted((a, b) => b.term - a.term)
  const voters = (leading ?? newest)?.voters ?? []
  return reports.map(({ id, address, status, problem }) => {
    const isVoter = voters.includes(id)
    const where = { id, address, ...(problem === undefined ? {} : { problem }) }
    if (status === undefined) return { ...where, state: 'down', role: roleOf(isVoter, true) }
    const { role, mayVote, term, appliedIndex } = status
    return {
      ...where,
      state: 'up',
      role: role === 'leader' ? 'leader' : roleOf(isVoter, mayVote),
      term,
      appliedIndex,
      ...(leading === undefined ? {} : { lag: Math.max(0, leading.commitIndex - appliedIndex) }),
    }
  })
}

function roleOf(isVoter: boolean, mayVote: boolean): string {
  if (!isVoter) return 'learner'
  return mayVote ? 'voter' : 'recovering'
}

function showRoles(out: Output, reports: readonly MemberReport[]): void {
  const number = (value: number | undefined): string => (value === undefined ? '' : String(value))
  out.list(recordsOf(reports), [
    { title: 'ID', of: ({ id }) => id },
    { title: 'STATE', of: ({ state }) => state },
    { title: 'ROLE', of: ({ role }) => role },
    { title: 'TERM', align: 'right', of: ({ term }) => number(term) },
    { title: 'APPLIED', align: 'right', of: ({ appliedIndex }) => number(appliedIndex) },
    { title: 'LAG', align: 'right', of: ({ lag }) => number(lag) },
    { title: 'ADDRESS', of: ({ address }) => address },
    { title: 'PROBLEM', of: ({ problem }) => problem ?? '' },
  ])
}

/** Of a member that nobody hears: its process is to be started by hand, on another host perhaps. */
const silenceMs = 10 * 60_000

interface Added {
  readonly group: GroupControl
  readonly name: GroupName
  readonly id: string
}

/** Until it votes, however long it takes to learn; interrupted, the same command goes on. */
async function promote({ group, name, id }: Added, out: Output): Promise<void> {
  const { clock } = nodeEnv()
  let heardMs = clock.monotonicMs()
  const refusal = async (): Promise<string | undefined> => {
    try {
      await group.promote(id)
      return undefined
    } catch (error) {
      if (!isStoreError(error, 'Busy')) throw error
      const problem = await group.problemOf(id)
      if (problem === undefined) heardMs = clock.monotonicMs()
      return problem === undefined ? error.message : `${error.message}: ${problem}`
    }
  }
  await until(
    refusal,
    (why) => {
      if (why !== undefined && clock.monotonicMs() - heardMs > silenceMs) throw silent(name, id, why)
      return why === undefined
    },
    (why) => why,
    out,
  )
}

function silent(name: GroupName, id: string, why: string): StoreError {
  const again = `start it and give the command again, or \`o3 admin ${name} remove ${id}\``
  return new StoreError('DeadlineExceeded', why, { details: { try: again } })
}
