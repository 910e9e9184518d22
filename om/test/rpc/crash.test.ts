import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { SimulatedStore } from '@o3/ratis/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OmCommand, OmReply } from '../../src/api/api.ts'
import { RemoteOm } from '../../src/client/client.ts'
import { defaultOmConfig } from '../../src/config.ts'
import { omRules } from '../../src/core/rules.ts'
import { OmService } from '../../src/service/om-service.ts'
import { CountingScm } from '../fixtures/pure-om.ts'
import { groupOf, serve } from '../fixtures/wire.ts'
import { Comparison } from '../model/comparison.ts'
import type { ComparedOm } from '../model/comparison.ts'
import { step } from '../model/programs.ts'

/** The clocks of a machine that restarts are no matter here: leases do not run out. */
const foreverMs = 1e12
const mostInARow = 5

/** A remote OM whose machine goes down and comes back. The caller asks once, and names no request. */
class CrashingRemoteOm implements ComparedOm {
  readonly machine: SimulatedStore<OmCommand, OmReply>
  crashes = 0
  #inARow = 0
  #om: RemoteOm | undefined
  #isOver = false

  constructor(seed: number) {
    this.machine = new SimulatedStore(omRules, { seed, store: { cacheBytes: 4_000 } })
  }

  get store() {
    return this.machine.store
  }

  get om(): RemoteOm {
    if (this.#om === undefined) throw new Error('the machine does not run')
    return this.#om
  }

  run(script: () => Promise<void>): Promise<void> {
    const { machine } = this
    return machine.run(async () => {
      const group = groupOf(machine.simulation.node('client').boot(), machine.node.name, { deadlineMs: 600_000 })
      this.#om = new RemoteOm(group)
      const kept = this.#keepUp()
      await script()
      this.#isOver = true
      machine.node.kill()
      await kept
    })
  }

  /** At every named place the machine goes down once in `oneIn` times; never so often in a row that it does not get up. */
  tremble(oneIn: number): void {
    const dice = this.machine.simulation.random.fork('crashes')
    this.machine.node.onSite = () => {
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
    try {
      return await this.om.execute(command)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return error.code
    } finally {
      this.#inARow = 0
    }
  }

  async #keepUp(): Promise<void> {
    const { machine } = this
    while (!this.#isOver) {
      if (!machine.node.isUp) await machine.open()
      const { process } = machine.node
      const { clock } = process
      const parts = { store: machine.store, scm: new CountingScm(), clock, config: defaultOmConfig, log: nullLogger }
      await process.whileUp(serve(new OmService(parts), process, machine.node.name))
      await process.ended
    }
  }
}

test('programs come out as in the model, though answers are lost on their way: nothing is done twice', async () => {
  let crashes = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }),
      fc.nat(),
      fc.constantFrom(10, 40, 200),
      async (steps, seed, oneIn) => {
        const real = new CrashingRemoteOm(seed)
        await real.run(async () => {
          const comparison = new Comparison(real, 0)
          await comparison.prepare()
          real.tremble(oneIn)
          for (const each of steps) {
            const command = comparison.commandOf(each)
            if (command?.kind === 'grant-lease') await comparison.run({ ...command, durationMs: foreverMs })
            else if (command !== undefined) await comparison.run(command)
          }
          real.calm()
          await comparison.compare()
        })
        crashes += real.crashes
      },
    ),
    { numRuns: 40 },
  )
  expect(crashes).toBeGreaterThan(40)
}, 120_000)
