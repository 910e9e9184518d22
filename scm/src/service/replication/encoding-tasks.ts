import type { ContainerId } from '../../api/api.ts'
import type { PlanContext } from '../../core/planners/replication-plan.ts'
import type { RepairTask } from '../../core/planners/repair-tasks.ts'
import type { Omission, OmissionBounds } from '../../core/recorded-deletions.ts'
import type { LeftOut } from '../../core/tables.ts'
import type { ChosenEncoding, EncodingRound, Encodings } from './encodings.ts'
import type { ReplicationConfig } from './replication-config.ts'
import type { RowChanges } from './row-changes.ts'
import { layoutOf } from './task-commands.ts'
import type { AnewEncoding, TaskCommands } from './task-commands.ts'

export interface EncodingTasksParts {
  readonly encodings: Encodings
  readonly rows: RowChanges
  readonly commands: TaskCommands
  readonly config: Pick<ReplicationConfig, 'maxLeftOutRanges' | 'worthShare'>
  /** Of the recorded deletions of an encoded container the first ones: see `OmissionBuilder`. */
  readonly omission: (container: ContainerId, bounds: OmissionBounds) => Promise<Omission | undefined>
}

interface Moment {
  readonly round: EncodingRound
  readonly context: PlanContext
}

/** What is told to the datanode, and written down, of an encoding that leaves something out; of a first one nothing. */
interface Omitting {
  readonly anew?: AnewEncoding
  readonly leaveOut?: LeftOut
}

/** Makes tasks of chosen encodings: their shards have rows, which say what is left out, before anything is asked for. */
export class EncodingTasks {
  private readonly parts: EncodingTasksParts

  constructor(parts: EncodingTasksParts) {
    this.parts = parts
  }

  /** One that was begun and is carried out by nobody, or else one that begins. */
  async next(round: EncodingRound, context: PlanContext): Promise<RepairTask | undefined> {
    const { encodings } = this.parts
    const moment = { round, context }
    const resumed = encodings.toResume(round, context)
    if (resumed !== undefined) return await this.resume(resumed, moment)
    const chosen = encodings.next(round, context)
    return chosen && (await this.begin(chosen, moment))
  }

  private async begin(chosen: ChosenEncoding, moment: Moment): Promise<RepairTask | undefined> {
    const { rows, commands } = this.parts
    const { unit, plan } = chosen
    const { policy, targets } = plan
    const omitting = await this.omitting(chosen, moment)
    if (omitting === undefined) return undefined
    const { leaveOut, anew } = omitting
    const reply = await rows.execute({ kind: 'begin-encoding', container: unit, policy, targets, leaveOut }, unit)
    if (reply?.kind !== 'shards') return undefined
    return commands.forEncoding({ unit, plan, shards: reply.shards, anew }, moment.round.view)
  }

  /** The same shards without the same blocks, under a new name: what the datanode has done already it finds done. */
  private async resume(resumed: ChosenEncoding, moment: Moment): Promise<RepairTask | undefined> {
    const { unit, plan } = resumed
    const { view } = moment.round
    const encoding = view.container(unit)?.row.encoding
    if (encoding === undefined) return undefined
    const omitting = await this.omitting(resumed, moment, encoding.leaveOut?.upTo)
    if (omitting === undefined) return undefined
    return this.parts.commands.forEncoding({ unit, plan, shards: encoding.shards, anew: omitting.anew }, view)
  }

  /** Undefined: it is encoded no more, or there is nothing to leave out. */
  private async omitting(
    { unit, how }: ChosenEncoding,
    { round, context }: Moment,
    upTo?: number,
  ): Promise<Omitting | undefined> {
    if (how === 'first') return {}
    const { maxLeftOutRanges, worthShare } = this.parts.config
    const { view, judgements } = round
    const deleted = view.container(unit)?.row.deletedBlocks ?? 0
    const omission = await this.parts.omission(unit, { mostRanges: maxLeftOutRanges, upTo })
    const judged = judgements.judge(unit, view, context.topology)
    if (omission === undefined || judged?.kind !== 'group') return undefined
    const { leaveOut, ranges } = omission
    // Of more than fits into one encoding a part is worth as much, block for block.
    const worth = worthShare * Math.min(1, leaveOut.blocks / Math.max(1, deleted))
    const fields = { from: layoutOf(judged, view), leaveOut: ranges, worthShare: worth }
    // Of one that an earlier leader began nobody knows how many there were then: of those behind it no word was said.
    return { leaveOut, anew: { fields, deletedBlocks: upTo === undefined ? deleted : leaveOut.blocks } }
  }
}
