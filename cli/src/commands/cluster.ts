/** `o3 cluster …`: a cluster on this machine, with a process for each of its members. */

import { resolve } from 'node:path'
import {
  banner,
  checkReplication,
  clusterFileIn,
  clusterStatus,
  defaultShape,
  initCluster,
  makeJoinToken,
  maxProcesses,
  membersOf,
  nodeConfigSchema,
  readCluster,
  roles,
  shapeFlags,
  startLocalCluster,
  stopCluster,
} from '@o3/cluster/local'
import type { LayoutOptions, NodeConfig, ProcessStatus, WantedShape } from '@o3/cluster/local'
import type { LoadedConfig } from '@o3/common/config'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError } from '@o3/common/errors'
import type { Command } from 'commander'
import { addSettingFlags, readConfig } from '../command-line.ts'
import type { Environment } from '../command-line.ts'
import { Output } from '../output/output.ts'
import { toTerminal, untilStopped } from '../process/until-stopped.ts'

type Options = Readonly<Record<string, unknown>>

/** Of the settings with flags, those that are of a cluster as a whole. */
const flags = ['data', 'host', 'region', 'domain', 'log-level', 'log-format']

export function addCluster(program: Command, env: Environment): void {
  const cluster = program.command('cluster').description('a cluster on this machine, one process per role')
  addLayoutFlags(cluster.command('init').description('lay out a cluster in an empty directory')).action(
    async (options: Options) => {
      const { config, layout } = readLayout(options, env)
      const made = await initCluster(nodeEnv(), directoryOf(config), layout)
      const counts = roles.map((role) => `${membersOf(made, role).length} ${role}`)
      const data = typeof options['data'] === 'string' ? ` --data ${options['data']}` : ''
      toTerminal(`made ${clusterFileIn(directoryOf(config))}: ${counts.join(', ')}\n`)
      toTerminal(`\`o3 cluster start${data}\` starts it\n`)
    },
  )
  addLayoutFlags(
    cluster.command('start').description('start every process, and stay; lays out an empty directory'),
  ).action(async (options: Options) => {
    const { loaded, config, layout, wanted } = readLayout(options, env)
    const running = await startLocalCluster({
      directory: directoryOf(config),
      config,
      entries: loaded.entries,
      layout,
      wanted,
      launch: { command: process.execPath, args: [...process.execArgv, process.argv[1] ?? ''] },
      env,
      say: (line) => toTerminal(`${line}\n`),
    })
    toTerminal(banner(running.facts))
    toTerminal(`O3 is ready: S3 at ${running.facts.endpoint}. Ctrl-C stops it.\n`)
    process.exitCode = await untilStopped(running, { name: 'O3', asked: running.asked, say: toTerminal })
  })
  addStop(cluster, env)
  addToken(cluster, env)
  addStatus(cluster, env)
}

function addStop(cluster: Command, env: Environment): void {
  const stop = cluster.command('stop').description('stop the one that runs, from another terminal')
  addDataFlag(stop).action(async (options: Options) => {
    const directory = namedDirectory(options, env)
    const outcome = await stopCluster(nodeEnv(), directory, stopDeadlineMs)
    toTerminal(outcome === 'stopped' ? 'O3 has stopped.\n' : `no cluster runs in ${directory}\n`)
  })
}

const stopDeadlineMs = 90_000

/** As long as somebody needs to carry it to another host. */
const defaultTokenMinutes = 60
const maxTokenMinutes = 7 * 24 * 60

function addToken(cluster: Command, env: Environment): void {
  const token = cluster
    .command('token')
    .description('a token by which a new process on another host gets its certificate, once')
    .requiredOption('--id <id>', 'which member of the cluster file it is for')
    .option('--role <role>', `${roles.join(', ')} (default datanode)`)
    .option('--minutes <n>', `how long it is good (default ${defaultTokenMinutes})`)
  addDataFlag(token).action(async (options: Options) => {
    const here = nodeEnv()
    const role = roles.find((each) => each === (options['role'] ?? 'datanode'))
    if (role === undefined) throw new StoreError('InvalidArgument', `--role is one of ${roles.join(', ')}`)
    const given = options['minutes'] ?? String(defaultTokenMinutes)
    const minutes = numberOf(given, '--minutes', 1, maxTokenMinutes)
    const made = await readCluster(here, clusterFileIn(namedDirectory(options, env)))
    const wanted = { role, id: String(options['id']), validForMs: minutes * 60_000 }
    toTerminal(`${await makeJoinToken(here, made, wanted)}\n`)
  })
}

function addStatus(cluster: Command, env: Environment): void {
  const status = cluster
    .command('status')
    .description('each process: where it is, and whether it is up')
    .option('--json', 'one JSON object per line')
  addDataFlag(status).action(async (options: Options) => {
    const directory = namedDirectory(options, env)
    const { supervised, processes } = await clusterStatus(nodeEnv(), directory)
    const out = new Output({ json: options['json'] === true, quiet: false, env })
    out.list<ProcessStatus>(processes, [
      { title: 'ROLE', of: ({ role }) => role },
      { title: 'ID', of: ({ id }) => id },
      { title: 'STATE', of: ({ state }) => state },
      { title: 'LEADER', of: ({ leader }) => (leader === undefined ? '' : leader ? 'yes' : 'no') },
      { title: 'PID', align: 'right', of: ({ pid }) => (pid === undefined ? '' : String(pid)) },
      { title: 'ADDRESS', of: ({ address }) => address },
      { title: 'PROBLEM', of: ({ problem }) => problem ?? '' },
    ])
    if (processes.every(({ state }) => state === 'down')) out.remark(`the cluster in ${directory} is down`)
    else if (!supervised) out.remark('no `o3 cluster start` runs: processes that die stay down')
  })
}

function addDataFlag(command: Command): Command {
  return command.option('--data <dir>', 'the directory of the cluster (O3_DATA, else ./o3-data)')
}

function addLayoutFlags(command: Command): Command {
  for (const role of roles) {
    command.option(`--${shapeFlags[role]} <n>`, `how many processes of ${role} (default ${defaultShape[role]})`)
  }
  command.option(
    '--racks <n>',
    'racks that the datanodes are spread over, and the gateways where there are as many (default 1)',
  )
  command.option('--replication <how>', 'of buckets that are created without one: RATIS/THREE, EC/rs-6-3-1024k …')
  command.option('--s3-port <port>', 'of the first gateway; 0 for any free one (default 9878 where that is free)')
  return addSettingFlags(command, nodeConfigSchema, flags)
}

interface Layout {
  readonly loaded: LoadedConfig<typeof nodeConfigSchema>
  readonly config: NodeConfig
  readonly layout: LayoutOptions
  readonly wanted: WantedShape
}

function readLayout(options: Options, env: Environment): Layout {
  const loaded = readConfig(nodeConfigSchema, options, env)
  const { values: config } = loaded
  const counts = Object.fromEntries(
    roles.flatMap((role) => {
      const given = options[shapeFlags[role]]
      return given === undefined ? [] : [[role, numberOf(given, `--${shapeFlags[role]}`, 1, maxProcesses)]]
    }),
  ) as WantedShape
  const racks = options['racks'] === undefined ? undefined : numberOf(options['racks'], '--racks', 1, maxProcesses)
  const { replication: how } = options
  const replication = typeof how === 'string' ? checkReplication(how, '--replication') : undefined
  const placing = { ...(racks === undefined ? {} : { racks }), ...(replication === undefined ? {} : { replication }) }
  const given = options['s3Port']
  const s3Port = given === undefined ? portOf(loaded) : numberOf(given, '--s3-port', 0, 65_535)
  return {
    loaded,
    config,
    layout: {
      shape: { ...defaultShape, ...counts },
      ...placing,
      s3: { host: config.s3.host, port: s3Port },
      native: config.native,
      admin: config.admin,
    },
    wanted: { ...counts, ...placing, ...(s3Port === undefined ? {} : { s3Port }) },
  }
}

/** Undefined when nobody has said one: then another than the usual one will do. */
function portOf({ entries, values }: LoadedConfig<typeof nodeConfigSchema>): number | undefined {
  const entry = entries.find(({ field }) => field.key === 's3.port')
  return entry === undefined || entry.origin.kind === 'default' ? undefined : values.s3.port
}

function numberOf(given: unknown, flag: string, minimum: number, maximum: number): number {
  const value = Number(given)
  if (typeof given === 'string' && /^\d+$/.test(given) && value >= minimum && value <= maximum) return value
  throw new StoreError('InvalidArgument', `${flag} ${String(given)}: write a number from ${minimum} to ${maximum}`)
}

function directoryOf(config: NodeConfig): string {
  return resolve(config.data.directory)
}

function namedDirectory(options: Options, env: Environment): string {
  const given = options['data']
  return resolve(typeof given === 'string' ? given : (env['O3_DATA'] ?? './o3-data'))
}
