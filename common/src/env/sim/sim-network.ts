import { StoreError } from '../../errors.ts'
import type { Address, Cancel, Connection, Listener, Network, SecureOptions } from '../env.ts'
import { meetingOf } from './meeting.ts'
import { SimConnection, type Endpoint } from './sim-connection.ts'
import { Wire } from './wire.ts'
import type { Plan, World } from './world.ts'

export interface SimNetworkOptions {
  /** The time of a message between two nodes is uniform between these. Default 0.1 and 0.5. */
  readonly minLatencyMs?: number
  readonly maxLatencyMs?: number
  /** How likely a send breaks its connection. Default 0. */
  readonly resetChance?: number
}

/** A process that uses the network. */
export interface NetworkProcess extends Endpoint {
  plan(plan: Plan): Cancel
}

interface Bound {
  readonly process: NetworkProcess
  readonly onConnection: (connection: Connection) => void
  /** Undefined: plain connections. */
  readonly security: SecureOptions | undefined
}

/** Who connects: the process, and what it has in hand. */
interface Caller {
  readonly process: NetworkProcess
  readonly security: SecureOptions | undefined
}

interface Target {
  readonly node: string
  /** The place that one process can bind. */
  readonly key: string
}

const defaultConnectTimeoutMs = 10_000

/** How long a peer whose machine lost its power looks merely silent. */
const silenceMs = 30_000

const ownHosts: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '0.0.0.0', '::1', '::'])

/**
 * The network of a simulation: streams that take time, arrive in order, and stall while the way is blocked, as TCP's do.
 * A host is the name of a node.
 */
export class SimNetwork {
  /** May be changed at any time. */
  resetChance: number
  readonly #world: World
  readonly #wire: Wire
  readonly #bound = new Map<string, Bound>()
  readonly #connections = new Set<SimConnection>()
  readonly #withoutPower = new Set<string>()
  #lastPort = 40_000

  constructor(world: World, options: SimNetworkOptions = {}) {
    this.#world = world
    this.#wire = new Wire(world, {
      minLatencyMs: options.minLatencyMs ?? 0.1,
      maxLatencyMs: options.maxLatencyMs ?? 0.5,
    })
    this.resetChance = options.resetChance ?? 0
  }

  /** The network as a process that just started sees it. */
  of(process: NetworkProcess): Network {
    this.#withoutPower.delete(process.node)
    return this.#view({ process, security: undefined })
  }

  /** Nothing is encrypted here; who believes whom is decided as on a real network (`meeting.ts`). */
  #view(caller: Caller): Network {
    return {
      connect: (address, options) => this.#connect(caller, address, options?.timeoutMs ?? defaultConnectTimeoutMs),
      listen: (address, onConnection) => this.#listen(address, { ...caller, onConnection }),
      secured: (security) => this.#view({ ...caller, security }),
    }
  }

  /** Holds up everything from one node to another until cancelled. */
  block(from: string, to: string): Cancel {
    return this.#wire.block(from, to)
  }

  /** Everything from one node to another takes so much longer, until cancelled. */
  slow(from: string, to: string, byMs: number): Cancel {
    return this.#wire.slow(from, to, byMs)
  }

  /** Nothing arrives at the node until cancelled: its process does not read. */
  hold(node: string): Cancel {
    return this.#wire.block('*', node)
  }

  /** Blocks both ways. */
  partition(a: string, b: string): Cancel {
    const cancels = [this.block(a, b), this.block(b, a)]
    return () => {
      for (const cancel of cancels) cancel()
    }
  }

  /** The kernel closes the connections of a process that was killed; from a machine without power nobody hears. */
  processEnded(node: string, how: 'kill' | 'crash'): void {
    if (how === 'crash') this.#withoutPower.add(node)
    for (const [key, { process }] of this.#bound) if (process.node === node) this.#bound.delete(key)
    for (const connection of this.#connections) {
      if (connection.process.node !== node) continue
      this.#connections.delete(connection)
      if (how === 'kill') connection.abandon(this.#wire.random.chance(0.5) ? 'end' : 'reset')
      else this.#world.plan({ afterMs: silenceMs, kind: 'net', name: 'silence', action: () => connection.peer.fail() })
    }
  }

  #listen(address: Address, bound: Bound): Promise<Listener> {
    const { process } = bound
    const asked: Address =
      address.kind === 'tcp' && address.port === 0 ? { ...address, port: ++this.#lastPort } : address
    const { key } = targetOf(process.node, asked)
    if (this.#bound.has(key)) {
      const details = { errno: 'EADDRINUSE', address: key }
      return Promise.reject(new StoreError('Busy', `cannot listen on ${key}: EADDRINUSE`, { details }))
    }
    this.#bound.set(key, bound)
    const close = (): Promise<void> => {
      if (this.#bound.get(key) === bound) this.#bound.delete(key)
      return Promise.resolve()
    }
    return Promise.resolve({ address: asked, close })
  }

  #connect(caller: Caller, address: Address, timeoutMs: number): Promise<Connection> {
    const { process } = caller
    const target = targetOf(process.node, address)
    const way = { from: process.node, to: target.node }
    const back = { from: target.node, to: process.node }
    return new Promise((resolve, reject) => {
      let isOver = false
      const settle = (outcome: SimConnection | StoreError): void => {
        if (isOver || !process.isAlive) {
          if (outcome instanceof SimConnection) void outcome.close()
          return
        }
        isOver = true
        cancelTimeout()
        if (outcome instanceof SimConnection) resolve(outcome)
        else reject(outcome)
      }
      const cancelTimeout = process.plan({
        afterMs: timeoutMs,
        kind: 'timer',
        name: `connect ${target.key}`,
        action: () => settle(refusal(target.key, 'ETIMEDOUT')),
      })
      const arrive = (): void => {
        if (this.#withoutPower.has(target.node)) return
        const outcome = this.#accept(target.key, caller)
        this.#wire.send({ ...back, name: `answers ${target.key}`, deliver: () => settle(outcome) })
      }
      this.#wire.send({ ...way, name: `connects ${target.key}`, deliver: arrive })
    })
  }

  /** The client's end of a new connection, or why there is none. */
  #accept(key: string, { process: client, security }: Caller): SimConnection | StoreError {
    const bound = this.#bound.get(key)
    if (bound === undefined) return refusal(key, 'ECONNREFUSED')
    const meeting = meetingOf({ remote: client.node, security }, { remote: key, security: bound.security })
    if (meeting instanceof StoreError) return meeting
    const wire = this.#wire
    const resetChance = (): number => this.resetChance
    const onOver = (connection: SimConnection): void => void this.#connections.delete(connection)
    const end = (process: NetworkProcess, peer: Pick<SimConnection, 'remote' | 'peerCertificate'>): SimConnection => {
      const isPowered = (): boolean => !this.#withoutPower.has(process.node)
      return new SimConnection({ wire, process, ...peer, resetChance, isPowered, onOver })
    }
    const near = end(client, { remote: key, peerCertificate: meeting.server })
    const far = end(bound.process, { remote: client.node, peerCertificate: meeting.client })
    SimConnection.join(near, far)
    this.#connections.add(near)
    this.#connections.add(far)
    bound.onConnection(far)
    return near
  }
}

function targetOf(ownNode: string, address: Address): Target {
  if (address.kind === 'unix') return { node: ownNode, key: `${ownNode}:${address.path}` }
  const node = ownHosts.has(address.host) ? ownNode : address.host
  return { node, key: `${node}:${address.port}` }
}

function refusal(key: string, errno: string): StoreError {
  return new StoreError('Unavailable', `cannot connect to ${key}: ${errno}`, { details: { errno, address: key } })
}
