import { StoreError, isStoreError, unreachable } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { DatanodeAnswer, DatanodeCommand } from '@o3/scm/api'
import type { EcCommand } from '../ec/ec-commands.ts'
import type { CopyCommand, CopyCommands } from './copy-commands.ts'
import type { ShardCommands } from './shard-commands.ts'
import type { LocalDatanode } from '../service/local-datanode.ts'

export interface ScmCommandsOptions {
  readonly env: Pick<Env, 'tasks'>
  readonly datanode: LocalDatanode
  readonly log: Logger
  /** Takes what asks for copies; without it there are no other datanodes to copy from. */
  readonly copies?: CopyCommands
  /** Takes what asks for shards, likewise. */
  readonly shards?: ShardCommands
}

/** More commands than this are not begun at a time; SCM repeats what was not done. */
const maxRunningCommands = 64

type DeletionCommand = Extract<DatanodeCommand, { readonly kind: 'delete-blocks' }>
/** About the talk itself: see `Heartbeating`. */
type TalkCommand = Extract<DatanodeCommand, { readonly kind: 'full-report' | 'register' }>
type PipelineCommand = Extract<DatanodeCommand, { readonly kind: 'create-pipeline' | 'close-pipeline' }>
type CloseCommand = Extract<DatanodeCommand, { readonly kind: 'close-container' }>
type ContainerCommand = Exclude<
  DatanodeCommand,
  DeletionCommand | TalkCommand | PipelineCommand | CopyCommand | EcCommand
>

/**
 * Carries out what SCM asks of this datanode, whichever member asked. Commands run beside the heartbeats, each at most once
 * at a time, and are idempotent: what fails, or is left out, comes again with a later answer.
 *
 * Every answer of a leader bears its term, and one of a lower term than was seen before is of a leader that was deposed: its
 * commands are refused, for they may be about what the new leader has changed since (a container that it wants created may
 * have been deleted for good). Members that follow have no say, so their terms do not count either: one that was cut off
 * from its group may be far ahead of the leader. The highest term need not outlive the process: answers reach only the
 * process that asked, and whoever answers a new one has just confirmed with its group that it leads.
 */
export class ScmCommands {
  private readonly options: ScmCommandsOptions
  private readonly running = new Set<string>()
  /** Deletions that are durable here and that no leader has acknowledged. */
  private readonly done = new Set<number>()
  private highestTerm = 0

  constructor(options: ScmCommandsOptions) {
    this.options = options
  }

  /** To be told with the next heartbeat, to every member: who leads when it arrives is not known. */
  get doneDeletions(): readonly number[] {
    return [...this.done]
  }

  /** A leader has written down that these deletions are done. */
  acknowledged(transactions: readonly number[]): void {
    for (const transaction of transactions) this.done.delete(transaction)
  }

  /** Begins what a leader asks for. */
  take({ term, commands }: DatanodeAnswer): void {
    if (term === undefined) return
    if (term < this.highestTerm) {
      const { log } = this.options
      if (commands.length > 0) log.info({ term, highestTerm: this.highestTerm }, 'commands of a deposed SCM refused')
      return
    }
    this.highestTerm = term
    const deletions: DeletionCommand[] = []
    for (const command of commands) {
      switch (command.kind) {
        case 'full-report':
        case 'register':
          break
        case 'encode-container':
        case 'reconstruct-shards':
          this.options.shards?.take(command)
          break
        case 'copy-container':
        case 'reconcile-container':
        case 'salvage-container':
          this.options.copies?.take(command)
          break
        case 'delete-blocks':
          deletions.push(command)
          break
        case 'create-pipeline':
        case 'close-pipeline':
          this.begin(`${command.kind} ${command.pipeline}`, () => this.carryOutOnPipeline(command))
          break
        case 'create-container':
        case 'close-container':
        case 'delete-container':
          this.begin(`${command.kind} ${command.container}`, () => this.carryOut(command))
      }
    }
    this.beginDeletions(deletions)
  }

  /** All that one answer asks for shares the tombstones, and so the syncs. The next ones wait until these are done. */
  private beginDeletions(commands: readonly DeletionCommand[]): void {
    const { datanode } = this.options
    const wanted = commands.filter(({ transaction, blocks }) => {
      return !this.done.has(transaction) && !blocks.some(({ container }) => datanode.isPerhapsAway(container))
    })
    if (wanted.length === 0) return
    this.begin('delete-blocks', async () => {
      await datanode.deleteBlocks(wanted.flatMap(({ blocks }) => blocks))
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

  private async carryOutOnPipeline(command: PipelineCommand): Promise<void> {
    const { datanode } = this.options
    const { kind, pipeline } = command
    if (kind === 'close-pipeline') return await datanode.closePipeline(pipeline)
    await datanode.createPipeline(pipeline, command.members)
  }

  private async carryOut(command: ContainerCommand): Promise<void> {
    const { datanode } = this.options
    const { kind, container } = command
    switch (kind) {
      case 'create-container':
        if (command.pipeline !== undefined) return await datanode.createContainerOf(container, command.pipeline)
        return await datanode.createContainer(container)
      case 'close-container':
        return await ignoreMissing(this.close(command))
      case 'delete-container':
        return await datanode.deleteContainer(container)
      default:
        return unreachable(command)
    }
  }

  /** Every member of a pipeline is told, for SCM need not know who leads; those that follow have nothing to do. */
  private async close({ container, how = 'agreed', pipeline }: CloseCommand): Promise<void> {
    const { datanode } = this.options
    if (how === 'alone') return await datanode.closeContainerAlone(container)
    try {
      if (pipeline === undefined) await datanode.closeContainer(container)
      else await datanode.closeContainerOf(container, pipeline)
    } catch (error) {
      if (!isStoreError(error, 'NotLeader')) throw error
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
