/** A command that is one process of a cluster: its flags, its start, the one line it says, its end. */

import { parsePeers } from '@o3/cluster/roles'
import type { Role, RoleFacts, RoleOptions, RunningProcess } from '@o3/cluster/roles'
import { fieldsOf } from '@o3/common/config'
import type { ConfigSchema, ConfigValues } from '@o3/common/config'
import type { Command } from 'commander'
import { addSettingFlags, exitCodes, readConfig } from '../command-line.ts'
import type { Environment } from '../command-line.ts'
import { crashAt } from './crash-at.ts'
import { untilStopped } from './until-stopped.ts'

export interface RoleCommand<S extends ConfigSchema> {
  readonly role: Role
  readonly description: string
  readonly schema: S
  readonly start: (config: ConfigValues<S>, options: RoleOptions) => Promise<RunningProcess<RoleFacts>>
  /** A member of a group may be told the others on the command line. */
  readonly place: 'in-group' | 'alone'
}

interface Flags {
  readonly cluster: string
  readonly id: string
  readonly data: string
  readonly peers?: string
  readonly supervised?: boolean
  readonly join?: string
}

export function addRole<S extends ConfigSchema>(program: Command, env: Environment, added: RoleCommand<S>): void {
  const { role, schema } = added
  const command = program
    .command(role)
    .description(added.description)
    .requiredOption('--cluster <file>', 'the cluster file; `o3 cluster init` writes one')
    .requiredOption('--id <id>', 'which of its members this is')
    .requiredOption('--data <dir>', 'the directory of this process')
  command.option(
    '--join <token>',
    "for the first certificate, where the cluster's keys are not: see `o3 cluster token`",
  )
  if (added.place === 'in-group') {
    command.option('--peers <id=host:port,...>', 'the members of its group, in the place of those in the file')
  }
  command.addOption(command.createOption('--supervised', 'stop when standard input ends').hideHelp())
  addSettingFlags(command, schema).action(async (options: Readonly<Record<string, unknown>> & Flags) => {
    const { values } = readConfig(schema, options, ownVariables(schema, env))
    const asked = options.supervised === true ? endOfInput() : undefined
    let isUp = false
    void asked?.then(() => {
      // A start has nothing to finish, and may wait long for processes that are going, too.
      // oxlint-disable-next-line unicorn/no-process-exit -- there is no part that could be asked to give up
      if (!isUp) process.exit(exitCodes.failed)
    })
    const running = await added.start(values, {
      clusterFile: options.cluster,
      id: options.id,
      directory: options.data,
      peers: options.peers === undefined ? undefined : parsePeers(options.peers, '--peers'),
      joinToken: options.join,
      onSite: crashAt(env['O3_CRASH_AT']),
    })
    isUp = true
    const { id, address } = running.facts
    process.stdout.write(`${role} ${id} is ready at ${address} (pid ${process.pid})\n`)
    void running.failed.then((error) => process.stderr.write(`o3: ${role} ${id} cannot go on: ${error.message}\n`))
    process.exitCode = await untilStopped(running, {
      name: `${role} ${id}`,
      ...(asked === undefined ? {} : { asked }),
      // Who reads our output may be what has gone.
      say: asked !== undefined ? () => undefined : (text) => void process.stdout.write(text),
    })
  })
}

/** Variables of the sections that this role has; the others may be meant for other roles of the same machine. */
function ownVariables(schema: ConfigSchema, env: Environment): Environment {
  const prefixes = Object.keys(schema).map((name) => `O3_${name.toUpperCase()}_`)
  const names = new Set(fieldsOf(schema).flatMap((field) => field.env))
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix))),
  )
}

/** Whoever started us holds the other end of our standard input for as long as it lives. */
function endOfInput(): Promise<string> {
  return new Promise((resolve) => {
    const { stdin } = process
    stdin.once('end', () => resolve('standard input has ended'))
    stdin.once('error', () => resolve('standard input has failed'))
    stdin.resume()
    // It ends the process, and must not keep it.
    if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  })
}
