import type { ContainerId } from '../../api/api.ts'
import { encodedBlocks, planEncodingAnew, wantsEncodingAnew } from '../../core/planners/encoding.ts'
import type { PlanContext } from '../../core/planners/replication-plan.ts'
import type { ContainerRow } from '../../core/tables.ts'
import type { ChosenEncoding, EncodingRound } from './encodings.ts'
import type { Judged } from './judgements.ts'
import type { ReplicationConfig } from './replication-config.ts'
import type { UnitMemory } from './unit-memory.ts'

/** Containers looked at for one encoding. */
const examined = 100

/** Encoded containers with many deleted blocks, which are to be encoded without them. */
export class AnewEncodings {
  private readonly config: ReplicationConfig
  private readonly waiting = new Set<ContainerId>()

  constructor(config: ReplicationConfig) {
    this.config = config
  }

  note(unit: ContainerId, judged: Judged | undefined, { view, memory }: Pick<EncodingRound, 'view' | 'memory'>): void {
    const row = view.container(unit)?.row
    if (row !== undefined && judged?.kind === 'group' && this.isWanted(unit, row, memory)) this.waiting.add(unit)
    else this.waiting.delete(unit)
  }

  next(round: EncodingRound, context: PlanContext): ChosenEncoding | undefined {
    let looked = 0
    for (const unit of this.waiting) {
      if (looked === examined) return undefined
      if (round.memory.readyMs(unit) > round.now || round.tasks.ofUnit(unit).length > 0) continue
      looked += 1
      const plan = this.plan(unit, round, context)
      if (plan?.kind === 'encode') return { unit, plan, how: 'anew' }
    }
    return undefined
  }

  private plan(unit: ContainerId, { view, now, judgements, memory }: EncodingRound, context: PlanContext) {
    const row = view.container(unit)?.row
    // What the last encoding left out is still being cleared away.
    if (row === undefined || row.ec?.leaveOut !== undefined || !this.isWanted(unit, row, memory)) return undefined
    const judged = judgements.judge(unit, view, context.topology)
    if (judged?.kind !== 'group') return undefined
    const stayingShare = Math.max(0, 1 - row.deletedBlocks / Math.max(1, encodedBlocks(row)))
    const facts = { state: row.state, group: judged.facts, found: judged.found, stayingShare }
    return planEncodingAnew(facts, { ...context, avoid: memory.avoided(unit, now) })
  }

  private isWanted(unit: ContainerId, row: ContainerRow, memory: UnitMemory): boolean {
    if (row.state !== 'CLOSED' || row.ec === undefined || row.encoding !== undefined) return false
    const { deletedBlocks } = row
    const facts = { blocks: encodedBlocks(row), deletedBlocks, declinedAt: memory.declinedAt(unit) }
    return wantsEncodingAnew(facts, this.config)
  }
}
