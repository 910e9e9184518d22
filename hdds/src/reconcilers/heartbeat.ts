import { StoreError, isStoreError, unreachable } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ContainerReport, DatanodeCommand, ScmDatanodeProtocol } from '@o3/scm/api'
import type { HddsConfig } from '../config.ts'
import { ReportDelta } from '../core/report-delta.ts'
import type { LocalDatanode } from '../service/local-datanode.ts'
import type { Reconciler } from './reconciler.ts'

export interface HeartbeatingOptions {
  readonly env: Pick<Env, 'tasks'>
  readonly datanode: LocalDatanode
  readonly scm: ScmDatanodeProtocol
  /** `host:port` where other processes reach this datanode; undefined when it is called in its own. */
  readonly address: string | undefined
  readonly config: HddsConfig
  readonly log: Logger
}

/** More commands than this are not begun at a time; SCM repeats what was not done. */
const maxRunningCommands = 64

/** Written between two heartbeats, it calls for the next one soon. */
const fillingBytes = 4 * 1024 * 1024

type DeletionCommand = Extract<DatanodeCommand, { readonly kind: 'delete-blocks' }>
type ContainerCommand = Exclude<DatanodeCommand, DeletionCommand | { readonly kind: 'full-report' }>

/**
 * Tells SCM what is here and does what it asks. Commands run beside the heartbeats, each at most once at a time, and
 * are idempotent: what fails, or is left out, comes again with a later answer.
 */
export class Heartbeating implements Reconciler {
  readonly name = 'hdds.heartbeat'
  private readonly options: HeartbeatingOptions
  private readonly delta = new ReportDelta()
  private readonly running = new Set<string>()
  /** Deletions that are durable and that SCM has not answered to. */
  private readonly done = new Set<number>()
  private isRegistered = false
  private wantsFull = false
  private toldBytes = 0
  private isFilling = false

  constructor(options: HeartbeatingOptions) {
    this.options = options
  }

  async run(): Promise<void> {
    const commands = this.isRegistered ? await this.heartbeat() : await this.register()
    this.wantsFull ||= this.isRegistered && commands.some(({ kind }) => kind === 'full-report')
    for (const command of commands) {
      if (command.kind !== 'full-report' && command.kind !== 'delete-blocks') this.beginOnContainer(command)
    }
    this.beginDeletions(commands.filter((command) => command.kind === 'delete-blocks'))
  }

  /** Ten times as often while much is written: containers are closed, and a disk is known to be full, soon after they are. */
  pauseMs(): number {
    const { heartbeatMs } = this.options.config
    return this.isFilling ? heartbeatMs / 10 : heartbeatMs
  }

  private async register(): Promise<readonly DatanodeCommand[]> {
    const { datanode, scm, address } = this.options
    const containers = datanode.containers()
    const answer = await scm.register({ id: datanode.id, address, disks: datanode.disks(), containers })
    this.isRegistered = true
    this.delta.noteAnswered(containers)
    return answer.commands
  }

  private async heartbeat(): Promise<readonly DatanodeCommand[]> {
    const { datanode, scm } = this.options
    const full = this.wantsFull
    const reports: readonly ContainerReport[] = datanode.containers()
    const containers = this.delta.changed(reports, full)
    const deletedTransactions = [...this.done]
    const disks = datanode.disks()
    const usedBytes = reports.reduce((sum, report) => sum + report.usedBytes, 0)
    this.isFilling = usedBytes - this.toldBytes > fillingBytes
    this.toldBytes = usedBytes
    const answer = await scm.heartbeat({ id: datanode.id, full, disks, containers, deletedTransactions })
    // An SCM that asks for nothing but what it has just got does not know this datanode: it has been started anew.
    if (full && answer.commands.length === 1 && answer.commands[0]?.kind === 'full-report') this.isRegistered = false
    if (full) this.wantsFull = false
    this.delta.noteAnswered(reports)
    for (const transaction of deletedTransactions) this.done.delete(transaction)
    return answer.commands
  }

  private beginOnContainer(command: ContainerCommand): void {
    this.begin(`${command.kind} ${command.container}`, () => this.carryOut(command))
  }

  /** All that one answer asks for shares the tombstones, and so the syncs. The next ones wait until these are done. */
  private beginDeletions(commands: readonly DeletionCommand[]): void {
    const wanted = commands.filter(({ transaction }) => !this.done.has(transaction))
    if (wanted.length === 0) return
    this.begin('delete-blocks', async () => {
      await this.options.datanode.deleteBlocks(wanted.flatMap(({ blocks }) => blocks))
      for (const { transaction } of wanted) this.done.add(transaction)
    })
  }

  private begin(key: string, action: () => Promise<void>): void {
    if (this.running.has(key) || this.running.size >= maxRunningCommands) return
    this.running.add(key)
    this.options.env.tasks.spawn(`hdds.command ${key}`, async () => {
      try {
        await action()
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        this.options.log.warn({ command: key, error }, 'a command of SCM was not carried out; it will come again')
      } finally {
        this.running.delete(key)
      }
    })
  }

  private async carryOut({ kind, container }: ContainerCommand): Promise<void> {
    const { datanode } = this.options
    switch (kind) {
      case 'create-container':
        return await datanode.createContainer(container)
      case 'close-container':
        return await ignoreMissing(datanode.closeContainer(container))
      case 'delete-container':
        return await datanode.deleteContainer(container)
      default:
        return unreachable(kind)
    }
  }
}

/** SCM learns from the next full report that the container is not here. */
async function ignoreMissing(action: Promise<void>): Promise<void> {
  try {
    await action
  } catch (error) {
    if (!isStoreError(error, 'ContainerNotFound')) throw error
  }
}
