import { SimRandom } from '@o3/common/env/sim'
import { History, type CallId } from '../../src/testing/history/history.ts'
import type { SequentialModel } from '../../src/testing/history/model.ts'
import type { Place } from '../../src/testing/history/operation.ts'

/** What stands between clients and their objects: serves one request at one moment, rightly or not. */
export interface Server<Input, Output> {
  serve(request: { readonly client: string; readonly key: string; readonly input: Input }): {
    readonly output: Output
    readonly place: Place
  }
}

/** One log for all keys, and a model for each: linearizable by construction. */
export class RightServer<State extends NonNullable<unknown>, Input, Output> implements Server<Input, Output> {
  readonly states = new Map<string, State>()
  private readonly model: SequentialModel<State, Input, Output>
  private index = 0

  constructor(model: SequentialModel<State, Input, Output>) {
    this.model = model
  }

  serve({ key, input }: { readonly key: string; readonly input: Input }): { output: Output; place: Place } {
    const before = this.states.get(key) ?? this.model.init
    const { state, output } = this.model.apply(before, input)
    if (this.model.identity(state) === this.model.identity(before)) {
      return { output, place: { kind: 'after', index: this.index } }
    }
    this.states.set(key, state)
    return { output, place: { kind: 'at', index: ++this.index } }
  }
}

export interface Workload<Input> {
  readonly seed: string | number
  readonly clients: number
  readonly operations: number
  readonly keys?: number
  /** How many answers are lost; of some of them the requests too, or until much later. Default 0. */
  readonly losses?: number
  readonly input: (random: SimRandom, nth: number) => Input
}

type Phase<Output> =
  | { readonly kind: 'idle' }
  | { readonly kind: 'sent'; readonly id: CallId; readonly serve: () => { output: Output; place: Place } }
  | { readonly kind: 'served'; readonly id: CallId; readonly output: Output; readonly place: Place }

/** Clients against a server. Between call, effect and answer of one, any number of steps of the others come. */
export function runWorkload<Input, Output>(
  server: Server<Input, Output>,
  workload: Workload<Input>,
): History<Input, Output> {
  return new Run(server, workload).run()
}

interface Client<Output> {
  name: string
  lives: number
  phase: Phase<Output>
}

class Run<Input, Output> {
  private readonly server: Server<Input, Output>
  private readonly workload: Workload<Input>
  private readonly random: SimRandom
  private readonly history = new History<Input, Output>()
  private readonly clients: readonly Client<Output>[]
  /** Requests whose clients have given up and that are still on their way. */
  private readonly late: (() => void)[] = []
  private losses: number
  private begun = 0

  constructor(server: Server<Input, Output>, workload: Workload<Input>) {
    this.server = server
    this.workload = workload
    this.random = new SimRandom(workload.seed)
    this.losses = workload.losses ?? 0
    this.clients = Array.from({ length: workload.clients }, (_, at) => ({
      name: `c${at}`,
      lives: 0,
      phase: { kind: 'idle' },
    }))
  }

  run(): History<Input, Output> {
    const { random, clients, late, workload } = this
    const lossChance = this.losses / workload.operations
    while (this.begun < workload.operations || clients.some(({ phase }) => phase.kind !== 'idle')) {
      const client = clients[random.below(clients.length)]!
      if (late.length > 0 && random.chance(0.02)) late.pop()!()
      if (client.phase.kind !== 'idle' && this.losses > 0 && random.chance(lossChance)) this.lose(client, client.phase)
      else client.phase = this.next(client)
    }
    return this.history
  }

  private next({ name, phase }: Client<Output>): Phase<Output> {
    switch (phase.kind) {
      case 'idle':
        return this.begun < this.workload.operations ? this.send(name) : phase
      case 'sent':
        return { kind: 'served', id: phase.id, ...phase.serve() }
      case 'served':
        this.history.answered(phase.id, phase.output, phase.place)
        return { kind: 'idle' }
    }
  }

  private send(client: string): Phase<Output> {
    const { random, workload, server } = this
    const { keys = 1, input } = workload
    const request = { client, key: `k${random.below(keys)}`, input: input(random, this.begun++) }
    return { kind: 'sent', id: this.history.call(request), serve: () => server.serve(request) }
  }

  private lose(client: Client<Output>, phase: Exclude<Phase<Output>, { kind: 'idle' }>): void {
    const { history, random, late } = this
    this.losses--
    if (phase.kind === 'served') history.placed(phase.id, phase.place)
    else if (random.chance(0.5)) late.push(() => history.placed(phase.id, phase.serve().place))
    client.lives++
    client.name = `${client.name.split('.')[0]}.${client.lives}`
    client.phase = { kind: 'idle' }
  }
}
