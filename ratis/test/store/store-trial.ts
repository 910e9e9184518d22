import { expect } from 'vitest'
import type { KvStore } from '@o3/common/kv'
import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { SimulatedStore } from '../../src/testing/simulated-store.ts'
import { counterRules, counters, type CounterCommand, type CounterReply } from './counter-rules.ts'
import { changes, Witness, type Asked } from './witness.ts'

export type StoreStep =
  /** Executes them at once, each under a request id of its own, without waiting. */
  | { readonly kind: 'execute'; readonly commands: readonly CounterCommand[] }
  | { readonly kind: 'settle' }
  | { readonly kind: 'pause'; readonly ms: number }
  /** Asks again what was answered before, by the same request id. */
  | { readonly kind: 'repeat'; readonly nth: number }
  | { readonly kind: 'get'; readonly name: string }
  | { readonly kind: 'view' }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'down'; readonly how: 'crash' | 'kill'; readonly afterMs: number }
  | { readonly kind: 'trap'; readonly how: 'crash' | 'kill'; readonly site: string; readonly hit: number }

export interface StoreTrialOptions {
  readonly seed: string | number
  readonly plantEnv?: (env: Env) => Env
  readonly plantKv?: (kv: KvStore) => KvStore
}

/** A store under random commands on a machine that goes down; clients ask again until they have an answer. */
export class StoreTrial {
  readonly machine: SimulatedStore<CounterCommand, CounterReply>
  private readonly witness = new Witness()
  private pending: Promise<void>[] = []

  constructor(options: StoreTrialOptions) {
    this.machine = new SimulatedStore(counterRules, {
      ...options,
      // Slower than the log: reads and writes of rows overlap with the commands that change them.
      kvMaxMs: 6,
      // A cache of a handful of rows: plans wait for rows, rows are evicted while others wait for them.
      store: { cacheBytes: 1000, requests: { maxRequests: 1000, maxAgeMs: 3_600_000 } },
    })
  }

  run(steps: readonly StoreStep[]): Promise<void> {
    const { machine } = this
    return machine.run(async () => {
      for (const step of steps) {
        await this.step(step)
        if (!machine.node.isUp) await this.comeBack()
      }
      machine.node.onSite = () => 'go-on'
      await this.settle()
      await machine.restart('crash')
      await this.comeBack()
      await this.look()
      expect(await machine.whileUp(machine.store.close())).toBeUndefined()
      this.witness.audit()
    })
  }

  private async step(step: StoreStep): Promise<void> {
    const { machine } = this
    switch (step.kind) {
      case 'execute':
        for (const command of step.commands) this.ask(command)
        return
      case 'settle':
        return this.settle()
      case 'pause':
        await machine.whileUp(machine.node.process.clock.sleep(step.ms))
        return
      case 'repeat':
        return this.repeat(step.nth)
      case 'get':
        this.pending.push(this.get(step.name))
        return
      case 'view':
        this.pending.push(this.look())
        return
      case 'checkpoint':
        await machine.whileUp(machine.store.checkpoint())
        return
      case 'reopen':
        if ((await machine.whileUp(machine.store.close())) !== 'down') machine.node.kill()
        return
      case 'down':
        await machine.simulation.clock.sleep(step.afterMs)
        machine.node[step.how]()
        return
      case 'trap': {
        let left = step.hit
        machine.node.onSite = (site) => (site === step.site && --left === 0 ? step.how : 'go-on')
      }
    }
  }

  private ask(command: CounterCommand): void {
    this.pending.push(this.send(this.witness.ask(command)))
  }

  private async send(asked: Asked): Promise<void> {
    const { command, requestId } = asked
    try {
      const answer = await this.machine.execute(command, { requestId })
      if (answer !== 'down') this.witness.answered(asked, answer)
    } catch (error) {
      if (!isStoreError(error, 'PreconditionFailed', 'KeyNotFound')) throw error
      this.witness.refused(asked, error.details['have'])
    }
  }

  private async settle(): Promise<void> {
    const { pending } = this
    this.pending = []
    await this.machine.whileUp(Promise.all(pending))
  }

  /** The machine is up again: whoever has no answer asks again. */
  private async comeBack(): Promise<void> {
    const { machine } = this
    this.pending = []
    while (!machine.node.isUp) await machine.open()
    for (const asked of this.witness.asked)
      if (asked.answer === undefined && !asked.refused) this.pending.push(this.send(asked))
  }

  private async repeat(nth: number): Promise<void> {
    const answered = this.witness.asked.filter(({ answer, command }) => answer !== undefined && changes(command))
    const asked = answered[nth % Math.max(1, answered.length)]
    if (asked !== undefined) await this.send(asked)
  }

  private async get(name: string): Promise<void> {
    const atLeast = this.witness.answeredUpTo
    const row = await this.machine.whileUp(Promise.resolve(this.machine.store.get(counters, name)))
    if (row !== 'down') this.witness.sawRow(name, atLeast, row)
  }

  private async look(): Promise<void> {
    const atLeast = this.witness.answeredUpTo
    const rows = await this.machine.whileUp(
      this.machine.store.read(async (view) => {
        const cursor = view.cursor(counters, { from: '' })
        const found = await cursor.next(1000)
        await cursor.close()
        return new Map(found.map(({ key, value }) => [key, value]))
      }),
    )
    if (rows !== 'down') this.witness.sawAll(rows, atLeast)
  }
}
