import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { DatanodeAnswer, DatanodeCommand, ReportOrder, ScmDatanodeProtocol } from '@o3/scm/api'
import type { HddsConfig } from '../config.ts'
import { ReportDelta } from '../core/report-delta.ts'
import type { LocalDatanode } from '../service/local-datanode.ts'
import type { TaskRegistry } from '../service/tasks.ts'
import { untilAborted } from '../service/until-aborted.ts'
import type { Reconciler } from './reconciler.ts'
import type { ScmCommands } from './scm-commands.ts'

/** One member of SCM, reached without regard to who leads. */
export interface ScmMember {
  /** For the log. */
  readonly id: string
  readonly scm: ScmDatanodeProtocol
}

export interface HeartbeatingOptions {
  readonly datanode: LocalDatanode
  readonly member: ScmMember
  /** Shared by the talks with all members. */
  readonly commands: ScmCommands
  /** Shared likewise. */
  readonly tasks?: TaskRegistry
  /** `host:port` where other processes reach this datanode; undefined when it is called in its own. */
  readonly address: string | undefined
  /** Where it stands; undefined: nobody has said. */
  readonly rack?: string
  readonly config: Pick<HddsConfig, 'heartbeatMs'>
  /** Names this process among those that were and will be this datanode. */
  readonly process: string
  readonly log: Logger
}

/** Written between two heartbeats, it calls for the next one soon. */
const fillingBytes = 4 * 1024 * 1024
/** A member that does not answer is asked less and less often, down to every so many heartbeats. */
const maxPace = 4

/**
 * The talk with one member of SCM: tells it what is here, and hands what a leader asks to `ScmCommands`. There is one for
 * each member, with its own registration, pace and memory of what was said, so that one that is slow or gone delays no
 * other, and every one of them knows this datanode in the moment in which it begins to lead.
 */
export class Heartbeating implements Reconciler {
  readonly name: string
  private readonly options: HeartbeatingOptions
  private readonly delta = new ReportDelta()
  private isRegistered = false
  private toldBytes = 0
  private isFilling = false
  /** Rounds without an answer, since the last that had one. */
  private misses = 0
  private sent = 0

  constructor(options: HeartbeatingOptions) {
    this.options = options
    this.name = `hdds.heartbeat ${options.member.id}`
  }

  async run(signal: AbortSignal): Promise<void> {
    const { member, log, commands } = this.options
    try {
      // A stop does not wait for a member that does not answer.
      commands.take(await untilAborted(this.talk(), signal))
    } catch (error) {
      if (signal.aborted || !(error instanceof StoreError)) throw error
      this.delta.noteUncertain()
      if (this.misses === 0) log.warn({ scm: member.id, error }, 'a member of SCM does not answer')
      this.misses++
      return
    }
    if (this.misses > 0) log.info({ scm: member.id, misses: this.misses }, 'a member of SCM answers again')
    this.misses = 0
  }

  /** Ten times as often while much is written: containers are closed, and a disk is known to be full, soon after they are. */
  pauseMs(): number {
    const { heartbeatMs } = this.options.config
    if (this.misses > 0) return heartbeatMs * Math.min(this.misses, maxPace)
    return this.isFilling ? heartbeatMs / 10 : heartbeatMs
  }

  private async talk(): Promise<DatanodeAnswer> {
    if (!this.isRegistered) return this.register()
    const answer = await this.heartbeat()
    if (!asksFor('register', answer)) return answer
    // It was started anew; until it knows what is here it leads without this datanode.
    return this.register()
  }

  private async register(): Promise<DatanodeAnswer> {
    const { datanode, member, address, rack } = this.options
    const containers = datanode.containers()
    const answer = await member.scm.register({
      id: datanode.id,
      order: this.nextOrder(),
      address,
      ...(rack === undefined ? {} : { rack }),
      disks: datanode.disks(),
      containers,
      pipelines: datanode.pipelines(),
    })
    this.isRegistered = !asksFor('register', answer)
    this.heard(answer, containers)
    return answer
  }

  private async heartbeat(): Promise<DatanodeAnswer> {
    const { datanode, member, commands } = this.options
    const reports = datanode.containers()
    const deletedTransactions = commands.doneDeletions
    const tasks = this.options.tasks?.reports() ?? []
    const usedBytes = reports.reduce((sum, report) => sum + report.usedBytes, 0)
    this.isFilling = usedBytes - this.toldBytes > fillingBytes
    this.toldBytes = usedBytes
    const answer = await member.scm.heartbeat({
      id: datanode.id,
      order: this.nextOrder(),
      ...this.delta.news(reports),
      disks: datanode.disks(),
      deletedTransactions,
      pipelines: datanode.pipelines(),
      ...(tasks.length === 0 ? {} : { tasks }),
    })
    if (asksFor('register', answer)) {
      this.isRegistered = false
      return answer
    }
    this.heard(answer, reports)
    // A leader that answers has written them down. One that follows has not, and only a leader can.
    if (answer.term !== undefined) {
      commands.acknowledged(deletedTransactions)
      this.options.tasks?.acknowledged(tasks)
    }
    return answer
  }

  private nextOrder(): ReportOrder {
    this.sent++
    return { process: this.options.process, number: this.sent }
  }

  private heard(answer: DatanodeAnswer, reports: ReturnType<LocalDatanode['containers']>): void {
    if (asksFor('full-report', answer)) this.delta.noteUncertain()
    else this.delta.noteAnswered(reports)
  }
}

function asksFor(kind: DatanodeCommand['kind'], { commands }: DatanodeAnswer): boolean {
  return commands.some((command) => command.kind === kind)
}
