/** Sees to it that there are pipelines, and that those that cannot go on are closed. */

import { isStoreError } from '@o3/common/errors'
import type { DatanodeCommand, DatanodeId } from '../api/api.ts'
import type { ScmCommand } from '../core/command.ts'
import { planPipeline, planUnknownPipelines } from '../core/pipelines/pipeline-life.ts'
import type { PipelineDue } from '../core/pipelines/pipeline-life.ts'
import { planNewPipelines, takesPipelines } from '../core/pipelines/pipeline-placement.ts'
import type { TermParts, TermWorker } from './term-worker.ts'

/** Time alone makes pipelines due; so often they are looked at, whatever happens. */
const sweepMs = 1_000

export class PipelineKeeper implements TermWorker {
  private readonly parts: TermParts
  private isDirty = true
  private plannedMs = -Infinity
  private running: Promise<void> | undefined
  private due: readonly PipelineDue[] = []
  /** Datanodes that pipelines may be made of, and since when they are these. */
  private joined = ''
  private joinedMs = -Infinity

  constructor(parts: TermParts) {
    this.parts = parts
    parts.cluster.subscribe(({ kind }) => {
      if (kind !== 'container') this.isDirty = true
    })
  }

  /** One at a time: two that plan new pipelines at once would make too many. Who comes meanwhile waits for the one under way. */
  async round(): Promise<void> {
    this.running ??= this.plan().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  commandsFor(datanode: DatanodeId): readonly DatanodeCommand[] {
    const mine = this.due.filter((each) => each.datanode === datanode)
    return [...mine, ...planUnknownPipelines(datanode, this.parts.cluster)].map(({ command }) => command)
  }

  private async plan(): Promise<void> {
    const { cluster, config } = this.parts
    // Containers that are sealed say nothing of their pipeline; so the time says it.
    if (!this.isDirty && cluster.nowMs - this.plannedMs < sweepMs) return
    this.isDirty = false
    this.plannedMs = cluster.nowMs
    const due: PipelineDue[] = []
    const present = [...cluster.pipelines.values()]
    for (const pipeline of present) {
      const plan = planPipeline(pipeline, cluster, config)
      due.push(...plan.due)
      if (plan.change !== undefined && (await this.tryTo(plan.change))) {
        this.parts.log.info({ pipeline: pipeline.id, state: plan.change.to, why: plan.why }, 'pipeline changed state')
      }
    }
    this.due = due
    await this.makeNew()
  }

  /** Not before the datanodes are there that may have pipelines already. */
  private async makeNew(): Promise<void> {
    const { cluster, config, log } = this.parts
    if (this.parts.safemode().on) return
    for (const members of planNewPipelines(cluster, config, this.togetherAgain())) {
      if (await this.tryTo({ kind: 'create-pipeline', replicas: 'THREE', members })) {
        log.info({ members }, 'pipeline is being made')
      }
    }
    // Its members are told with the answers to this round.
    this.due = [...cluster.pipelines.values()].flatMap((each) => planPipeline(each, cluster, config).due)
  }

  /** Not until for a while no datanode has come or gone. */
  private togetherAgain(): 'allowed' | 'refused' {
    const { cluster, config } = this.parts
    const ids = [...cluster.nodes.values()].filter(takesPipelines).map(({ id }) => id)
    const joined = ids.toSorted().join('\n')
    if (joined !== this.joined) {
      this.joined = joined
      this.joinedMs = cluster.nowMs
    }
    return cluster.nowMs - this.joinedMs >= config.pipelineGraceMs ? 'allowed' : 'refused'
  }

  /** False when it was refused, or cannot be done now: then the next round sees how things are. */
  private async tryTo(command: ScmCommand): Promise<boolean> {
    try {
      await this.parts.cluster.execute(command)
      return true
    } catch (error) {
      if (!isStoreError(error, 'ConcurrentChange', 'InvalidArgument', 'Unavailable', 'Busy', 'OutOfSpace')) throw error
      this.parts.log.warn({ error, command: command.kind }, 'a pipeline could not be changed')
      return false
    }
  }
}
