import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { SimulatedStore } from '@o3/ratis/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OmCommand, OmReply } from '../../src/api/api.ts'
import { defaultOmConfig } from '../../src/config.ts'
import { omRules } from '../../src/core/rules.ts'
import { OmService } from '../../src/service/om-service.ts'
import { CountingScm } from '../fixtures/pure-om.ts'
import { Comparison } from '../model/comparison.ts'
import type { ComparedOm } from '../model/comparison.ts'
import { step } from '../model/programs.ts'

/** The clocks of a machine that restarts are no matter here: leases do not run out. */
const foreverMs = 1e12
const mostInARow = 5

/** OM on a machine that loses power; the client asks again under the same request id until it is answered. */
class CrashingOm implements ComparedOm {
  readonly machine: SimulatedStore<OmCommand, OmReply>
  crashes = 0
  #inARow = 0
  #requests = 0

  constructor(seed: number) {
    // A cache of a few rows: plans and reads wait for rows, and rows go while others wait.
    this.machine = new SimulatedStore(omRules, { seed, store: { cacheBytes: 4_000 } })
  }

  get store() {
    return this.machine.store
  }

  get om(): OmService {
    const { clock } = this.machine.node.process
    return new OmService({ store: this.store, scm: new CountingScm(), clock, config: defaultOmConfig, log: nullLogger })
  }

  /** At every named place the machine goes down once in `oneIn` times; never so often in a row that it does not get up. */
  tremble(oneIn: number): void {
    const dice = this.machine.simulation.random.fork('crashes')
    const { node } = this.machine
    node.onSite = () => {
      if (dice.fraction() * oneIn >= 1 || this.#inARow === mostInARow) return 'go-on'
      this.crashes++
      this.#inARow++
      return dice.fraction() < 0.5 ? 'crash' : 'kill'
    }
  }

  calm(): void {
    this.machine.node.onSite = () => 'go-on'
  }

  async execute(command: OmCommand): Promise<OmReply | StoreError['code']> {
    const requestId = `request ${this.#requests++}`
    for (;;) {
      try {
        const reply = await this.machine.execute(command, { requestId })
        if (reply !== 'down') return this.#answered(reply)
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        if (error.category !== 'unavailable' && error.category !== 'unknown-outcome') return this.#answered(error.code)
      }
      if (!this.machine.node.isUp) await this.machine.open()
    }
  }

  #answered<T>(answer: T): T {
    this.#inARow = 0
    return answer
  }
}

test('programs come out as in the model, whenever the power goes', async () => {
  let crashes = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }),
      fc.nat(),
      fc.constantFrom(10, 40, 200),
      async (steps, seed, oneIn) => {
        const real = new CrashingOm(seed)
        await real.machine.run(async () => {
          const comparison = new Comparison(real, 0)
          await comparison.prepare()
          real.tremble(oneIn)
          for (const each of steps) {
            const command = comparison.commandOf(each)
            if (command?.kind === 'grant-lease') await comparison.run({ ...command, durationMs: foreverMs })
            else if (command !== undefined) await comparison.run(command)
          }
          real.calm()
          await real.machine.restart('crash')
          await comparison.compare()
        })
        crashes += real.crashes
      },
    ),
    { numRuns: 60 },
  )
  expect(crashes).toBeGreaterThan(60)
}, 120_000)
