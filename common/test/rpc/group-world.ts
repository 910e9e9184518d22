import { Simulation } from '../../src/env/sim/sim-env.ts'
import type { SimNode } from '../../src/env/sim/sim-env.ts'
import { StoreError } from '../../src/errors.ts'
import { nullLogger } from '../../src/log/logger.ts'
import { GroupClient, RpcServer, trustedClient, trustedServer } from '../../src/rpc/rpc.ts'
import type { GroupCallOptions, GroupClientOptions, RpcCall, RpcReply, RpcServerOptions } from '../../src/rpc/rpc.ts'
import { bytes, text } from './worlds.ts'

export type Behaviour = (call: RpcCall<unknown>) => Promise<RpcReply> | RpcReply

export const method = 'group.do.1'

/** A member of a group that does what the script says. */
export class Member {
  readonly id: string
  readonly node: SimNode
  /** What it was asked, in order. */
  readonly asked: string[] = []
  behaviour: Behaviour
  private readonly serverOptions: Partial<RpcServerOptions<unknown>>

  constructor(id: string, simulation: Simulation, serverOptions: Partial<RpcServerOptions<unknown>>) {
    this.id = id
    this.node = simulation.node(id)
    this.behaviour = this.leads
    this.serverOptions = serverOptions
  }

  get address(): string {
    return `${this.id}:7000`
  }

  async boot(): Promise<void> {
    const { network, clock, tasks } = this.node.boot()
    const server = new RpcServer<unknown>({
      network,
      clock,
      tasks,
      log: nullLogger,
      authentication: trustedServer,
      methods: {
        [method]: (call) => {
          this.asked.push(text(call.payload))
          return this.behaviour(call)
        },
      },
      ...this.serverOptions,
    })
    await server.listen({ kind: 'tcp', host: this.id, port: 7000 })
  }

  readonly leads: Behaviour = () => ({ payload: bytes(this.id) })
}

export const follows =
  (hint: { readonly leader?: string; readonly term?: number; readonly address?: string } = {}): Behaviour =>
  () => {
    throw new StoreError('NotLeader', 'somebody else leads', { details: hint })
  }

/** Leads in `term`, and carries out what names it: a change is `term/what`. */
export const leadsIn =
  (id: string, term: number): Behaviour =>
  ({ payload }) => {
    if (text(payload).startsWith(`${term}/`)) return { payload: bytes(id) }
    throw new StoreError('NotLeader', 'meant for another term', { details: { leader: id, term } })
  }

export const silent: Behaviour = () => new Promise(() => undefined)

export const says =
  (code: ConstructorParameters<typeof StoreError>[0]): Behaviour =>
  () => {
    throw new StoreError(code, `it said ${code}`)
  }

export interface GroupWorld {
  readonly simulation: Simulation
  readonly members: readonly [Member, Member, Member]
  readonly client: GroupClient
  /** The answer, as text. */
  readonly ask: (payload: string, options?: Partial<GroupCallOptions>) => Promise<string>
  /** The answer to a change, whose copies are `term/what`. */
  readonly change: (what: string, options?: Partial<GroupCallOptions>) => Promise<string>
  readonly code: (payload: string, options?: Partial<GroupCallOptions>) => Promise<string>
  /** How many tries there were, at all members. */
  readonly tries: () => number
}

export interface GroupWorldOptions {
  readonly client?: Partial<GroupClientOptions>
  readonly server?: Partial<Record<string, Partial<RpcServerOptions<unknown>>>>
}

/** Three members `a`, `b`, `c` that are up, a client of them, in virtual time. The script says who leads. */
export function withGroup<T>(main: (world: GroupWorld) => Promise<T>, options: GroupWorldOptions = {}): Promise<T> {
  const simulation = new Simulation({ seed: 'group' })
  const member = (id: string): Member => new Member(id, simulation, options.server?.[id] ?? {})
  const members = [member('a'), member('b'), member('c')] as const
  return simulation.run(async () => {
    for (const each of members) await each.boot()
    const client = new GroupClient({
      env: simulation.node('client').boot(),
      name: 'group',
      members: members.map(({ id }) => ({ id, address: { kind: 'tcp', host: id, port: 7000 } })),
      authentication: trustedClient,
      ...options.client,
    })
    const ask: GroupWorld['ask'] = async (payload, call) =>
      text(await client.call(method, bytes(payload), { repeat: 'whenever', ...call }))
    const change: GroupWorld['change'] = async (what, call) =>
      text(await client.call(method, (term) => bytes(`${term}/${what}`), { repeat: 'whenever', ...call }))
    const code: GroupWorld['code'] = (payload, call) =>
      ask(payload, call).then(
        (answer) => answer,
        (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
      )
    const tries = (): number => members.reduce((sum, { asked }) => sum + asked.length, 0)
    try {
      return await main({ simulation, members, client, ask, change, code, tries })
    } finally {
      client.close()
    }
  })
}
