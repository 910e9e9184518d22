/** What is known of the damaged replicas of one disk, durably (`core/damage-list.ts`). */

import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { ContainerId } from '@o3/scm/api'
import { decodeDamageList, encodeDamageList } from '../core/damage-list.ts'
import type { KnownDamage } from '../core/damage-list.ts'
import { readChecked, replaceChecked } from './checked-file.ts'
import type { CheckedFile } from './checked-file.ts'
import { OneAtATime } from './one-at-a-time.ts'

export interface DamageBookOptions {
  readonly env: Pick<Env, 'disk' | 'at'>
  /** Of the disk. */
  readonly path: string
  readonly log: Logger
}

/** Of one disk. What goes beyond is found again by a reader, or by the scrubber within its week. */
export const maxKnownDamages = 4_096

export class DamageBook {
  private readonly options: DamageBookOptions
  private readonly file: CheckedFile
  private readonly damages: Map<ContainerId, KnownDamage>
  private readonly turns = new OneAtATime()
  private isBehind = false

  private constructor(options: DamageBookOptions, file: CheckedFile, list: readonly KnownDamage[]) {
    this.options = options
    this.file = file
    this.damages = new Map(list.map((damage) => [damage.container, damage]))
  }

  /** A list that does not verify is begun anew: what was in it is found again. `Incompatible` for one of a later release. */
  static async open(options: DamageBookOptions): Promise<DamageBook> {
    const { env, path, log } = options
    const file = { directory: path, name: 'DAMAGED' }
    try {
      const body = await readChecked(env.disk, file)
      return new DamageBook(options, file, body === undefined ? [] : decodeDamageList(body))
    } catch (error) {
      if (!isStoreError(error, 'Damaged') || error.details['errno'] !== undefined) throw error
      log.error({ path, error }, 'the list of damaged replicas is damaged: they are found again by reading')
      return new DamageBook(options, file, [])
    }
  }

  get all(): readonly KnownDamage[] {
    return [...this.damages.values()]
  }

  /** The first finding of a replica stands for all of them. Durable after `settled`. */
  note(damage: KnownDamage): void {
    if (this.damages.get(damage.container)?.generation === damage.generation) return
    if (this.damages.size >= maxKnownDamages && !this.damages.has(damage.container)) {
      const { path, log } = this.options
      log.warn(
        { path, container: damage.container },
        'more damaged replicas than are written down; a restart forgets this one',
      )
      return
    }
    this.damages.set(damage.container, damage)
    this.isBehind = true
  }

  /** The replica is gone, or was found to be whole. Durable after `settled`. */
  forget(container: ContainerId): void {
    if (this.damages.delete(container)) this.isBehind = true
  }

  /** What was noted and forgotten before is durable when it resolves. A full disk only puts it off. */
  settled(): Promise<void> {
    return this.turns.run(async () => {
      if (!this.isBehind) return
      this.isBehind = false
      try {
        await replaceChecked(this.options.env, this.file, encodeDamageList(this.all))
      } catch (error) {
        this.isBehind = true
        if (!isStoreError(error, 'OutOfSpace')) throw error
        this.options.log.warn({ path: this.options.path, error }, 'no room to write down which replicas are damaged')
      }
    })
  }
}
