/**
 * Programs on the real store, on a simulated machine that may lose power or have its process killed at any moment, next
 * to the reference store. What both answer must be the same. Where the machine went down before it answered, the step
 * has happened wholly or not at all: what can be seen afterwards must be what the reference shows in one of the two
 * cases, and from there both go on.
 */

import { Simulation } from '@o3/common/env/sim'
import type { SimNode } from '@o3/common/env/sim'
import type { O3Store } from '@o3/protocol-bus/api'
import { referenceStore } from '@o3/protocol-bus/testing'
import { openComposedStore } from './composed-store.ts'
import type { ComposedStore } from './composed-store.ts'
import { DistantOm, foreseeing } from './distant-om.ts'
import type { Program, Step } from './program.ts'
import { prepare, snapshot, takeStep } from './run-step.ts'
import type { Outcome, Subject } from './run-step.ts'

const KiB = 1024

/** What a run of programs did: a test that reaches nothing tests nothing. */
export interface RunReport {
  readonly programs: number
  steps: number
  deaths: number
  /** Steps whose outcome was unknown: how many turned out to have happened. */
  happened: number
  lost: number
}

/** Runs the programs one after another, each in a volume of its own, on one machine. Throws at the first difference. */
export async function runPrograms(
  programs: readonly Program[],
  seed: number,
  om: 'here' | 'away' = 'here',
): Promise<RunReport> {
  const simulation = new Simulation({ seed })
  const machine = new Machine(simulation, om)
  const report: RunReport = { programs: programs.length, steps: 0, deaths: 0, happened: 0, lost: 0 }
  await simulation.run(async () => {
    await machine.start()
    for (const [index, program] of programs.entries()) {
      await new Run(machine, program, `volume-${index}`, report).run()
    }
    // Nothing that is named may have been collected, and the counters still agree.
    await simulation.clock.sleep(60_000)
    const wrong = await machine.composed.audit()
    if (wrong.length > 0) throw new Error(`the audit found: ${wrong.join('; ')}`)
    await machine.composed.close()
  })
  return report
}

class Machine {
  readonly simulation: Simulation
  readonly node: SimNode
  private opened: ComposedStore | undefined

  private readonly om: 'here' | 'away'

  constructor(simulation: Simulation, om: 'here' | 'away') {
    this.simulation = simulation
    this.om = om
    this.node = simulation.node('one')
  }

  get composed(): ComposedStore {
    if (this.opened === undefined) throw new Error('the machine was never started')
    return this.opened
  }

  /** As callers have it: those of an OM elsewhere say what they are about to touch. */
  get store(): O3Store {
    return this.om === 'here' ? this.composed.store : foreseeing(this.composed)
  }

  /** Again and again: it may go down while it starts. */
  async start(): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const process = this.node.boot()
      const opened = await process.whileUp(
        openComposedStore({
          env: process,
          openKv: (path) => this.node.openKv(path),
          om: { leaseDurationMs: 5_000, blockDeletionDelayMs: 1_000, reconcileIntervalMs: 200, stockBlocks: 32 },
          scm: { containerBytes: 256 * KiB, garbageFloorBytes: 64 * KiB },
          hdds: { compactIntervalMs: 500, compactGarbageBytes: 16 * KiB },
          ratis: { log: { segmentBytes: 64 * KiB }, checkpoint: { everyLogBytes: 48 * KiB, keepLogBytes: 0 } },
          chunkSizeBytes: 16 * KiB,
          store: { blockBytes: 32 * KiB, leaseBlocks: 8 },
          hashInline: true,
          ...(this.om === 'away' ? { away: (om) => new DistantOm(om, process.random) } : {}),
        }),
      )
      if (opened === 'down') continue
      this.opened = opened
      return
    }
    throw new Error('the machine does not come up')
  }

  /** What the running process says; `down` when it dies before. */
  whileUp<T>(work: Promise<T>): Promise<T | 'down'> {
    return this.node.whileUp(work)
  }
}

class Run {
  private readonly machine: Machine
  private readonly program: Program
  private readonly volume: string
  private readonly report: RunReport
  private readonly taken: Step[] = []
  /** Request ids that were refused, or that changed nothing, and how often. */
  private readonly spent = new Map<string, number>()
  /** Upload ids that the real store told, in the order of the steps that started them. */
  private uploads: Subject['uploads'] = []

  constructor(machine: Machine, program: Program, volume: string, report: RunReport) {
    this.machine = machine
    this.program = program
    this.volume = volume
    this.report = report
  }

  async run(): Promise<void> {
    await prepare(this.real())
    let reference = await this.replay([])
    for (const [index, drawn] of this.program.steps.entries()) {
      const step = this.withFreshId(drawn)
      this.report.steps++
      this.armDeaths(index)
      const outcome = await this.machine.whileUp(this.stepOnReal(step))
      if (outcome === 'down') {
        reference = await this.settle(step)
        continue
      }
      this.taken.push(step)
      this.expectSame(await takeStep(reference, step), outcome, `step ${index} (${JSON.stringify(step)})`)
      this.spend(drawn, outcome)
    }
    await this.disarm()
    this.expectSame(await snapshot(reference), await snapshot(this.real()), 'what is there at the end')
  }

  /**
   * How long a refusal is remembered is not promised, and the reference does not: an id that was refused, or that had
   * nothing to do, is not used again. One that was answered is, also for other bytes, and gets the first answer.
   */
  private withFreshId(step: Step): Step {
    if (!('requestId' in step) || step.requestId === undefined) return step
    return { ...step, requestId: `${step.requestId}.${this.spent.get(step.requestId) ?? 0}` }
  }

  private spend(drawn: Step, outcome: Outcome): void {
    if (!('requestId' in drawn) || drawn.requestId === undefined) return
    const changedNothing =
      'refused' in outcome || (drawn.kind === 'delete' && !(outcome.answer as { existed: boolean }).existed)
    if (changedNothing) this.spent.set(drawn.requestId, (this.spent.get(drawn.requestId) ?? 0) + 1)
  }

  private real(): Subject {
    return { store: this.machine.store, volume: this.volume, uploads: this.uploads }
  }

  private async stepOnReal(step: Step): Promise<Outcome> {
    if (step.kind === 'wait') await this.machine.node.process.clock.sleep(step.ms)
    return takeStep(this.real(), step)
  }

  private armDeaths(index: number): void {
    const { node, simulation } = this.machine
    for (const death of this.program.deaths) {
      if (death.step !== index) continue
      simulation.clock.after(death.afterMs, () => {
        if (!node.isUp) return
        this.report.deaths++
        node[death.how]()
      })
    }
  }

  /** Deaths that are still to come come now, not in the next program. */
  private async disarm(): Promise<void> {
    await this.machine.simulation.clock.sleep(Math.max(0, ...this.program.deaths.map(({ afterMs }) => afterMs)))
    if (!this.machine.node.isUp) await this.machine.start()
  }

  /** The machine went down under this step. Comes back, looks whether it has happened, and goes on from there. */
  private async settle(step: Step): Promise<Subject> {
    const without = await this.replay(this.taken)
    const withIt = await this.replay(this.taken)
    await takeStep(withIt, step)
    const seen = await this.lookAgain()
    const [asNotDone, asDone] = [JSON.stringify(await snapshot(without)), JSON.stringify(await snapshot(withIt))]
    if (seen !== asNotDone && seen !== asDone) {
      throw new Error(
        `after a death in ${JSON.stringify(step)} there is\n${seen}\nwhich is neither\n${asNotDone}\nnor\n${asDone}`,
      )
    }
    const happened = seen === asDone && seen !== asNotDone
    this.report[happened ? 'happened' : 'lost']++
    if (happened) this.taken.push(step)
    const reference = happened ? withIt : without
    // An upload whose id nobody heard cannot be named by later steps, neither here nor there.
    while (this.uploads.length < reference.uploads.length) this.uploads.push({ id: undefined, key: '', bucket: '' })
    reference.uploads.forEach((_, index) => {
      if (this.uploads[index]?.id === undefined) reference.uploads[index] = { id: undefined, key: '', bucket: '' }
    })
    return reference
  }

  private async lookAgain(): Promise<string> {
    for (;;) {
      if (!this.machine.node.isUp) await this.machine.start()
      const seen = await this.machine.whileUp(snapshot(this.real()))
      if (seen !== 'down') return JSON.stringify(seen)
    }
  }

  /** A reference store on which these steps were taken. */
  private async replay(steps: readonly Step[]): Promise<Subject> {
    const { simulation } = this.machine
    const { store } = referenceStore({ clock: simulation.clock, random: simulation.random, users: [], volumes: [] })
    const subject: Subject = { store, volume: this.volume, uploads: [] }
    await prepare(subject)
    for (const step of steps) {
      await takeStep(subject, step)
      subject.uploads.forEach((_, index) => {
        if (this.uploads[index]?.id === undefined) subject.uploads[index] = { id: undefined, key: '', bucket: '' }
      })
    }
    return subject
  }

  private expectSame(reference: unknown, real: unknown, what: string): void {
    const [expected, actual] = [JSON.stringify(reference), JSON.stringify(real)]
    if (expected !== actual) throw new Error(`${what}: the reference says\n${expected}\nthe real store says\n${actual}`)
  }
}
