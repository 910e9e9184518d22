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
  const { seed, operations, keys = 1, input } = workload
  const random = new SimRandom(seed)
  const history = new History<Input, Output>()
  const clients = Array.from({ length: workload.clients }, (_, at) => ({
    name: `c${at}`,
    lives: 0,
    phase: { kind: 'idle' } as Phase<Output>,
  }))
  const late: (() => void)[] = []
  let losses = workload.losses ?? 0
  let begun = 0
  let busy = 0
  const lossChance = losses / operations
  while (begun < operations || busy > 0) {
    const client = clients[random.below(clients.length)]!
    const { phase } = client
    if (late.length > 0 && random.chance(0.02)) late.pop()!()
    if (phase.kind !== 'idle' && losses > 0 && random.chance(lossChance)) {
      losses--
      busy--
      const { id } = phase
      if (phase.kind === 'served') history.placed(id, phase.place)
      else if (random.chance(0.5)) late.push(() => history.placed(id, phase.serve().place))
      client.phase = { kind: 'idle' }
      client.name = `${client.name.split('.')[0]}.${++client.lives}`
      continue
    }
    switch (phase.kind) {
      case 'idle': {
        if (begun === operations) break
        const request = { client: client.name, key: `k${random.below(keys)}`, input: input(random, begun) }
        begun++
        busy++
        client.phase = { kind: 'sent', id: history.call(request), serve: () => server.serve(request) }
        break
      }
      case 'sent':
        client.phase = { kind: 'served', id: phase.id, ...phase.serve() }
        break
      case 'served':
        history.answered(phase.id, phase.output, phase.place)
        busy--
        client.phase = { kind: 'idle' }
    }
  }
  return history
}
