import { StoreError } from '../errors.ts'
import { asAnswer } from './answered-errors.ts'
import type { ClientHandshake } from './authentication.ts'
import type { ClientCall } from './client-call.ts'
import type { FrameSink } from './frame-decoder.ts'
import { endOfBody, frameKinds } from './frame.ts'
import type { IncomingFrame } from './frame.ts'
import type { RpcLimits } from './limits.ts'
import { Link } from './link.ts'
import type { LinkOptions } from './link.ts'
import { decodeCredit, decodeError, decodeWelcome, encodeHello, wireVersion } from './messages.ts'
import type { Welcome } from './messages.ts'

export interface ClientSessionOptions extends Pick<LinkOptions, 'connection' | 'clock' | 'tasks'> {
  readonly limits: RpcLimits
  readonly handshake: ClientHandshake
  /** Called once, when no more calls can begin here, with those that were queued. */
  readonly onRetired: (queued: readonly ClientCall[]) => void
}

type Stage =
  | { readonly kind: 'busy' }
  | { readonly kind: 'expect-welcome' }
  | { readonly kind: 'expect-ready'; readonly welcome: Welcome }
  | { readonly kind: 'open'; readonly maxConcurrentCalls: number }

/** The client's end of one connection. */
export class ClientSession implements FrameSink {
  /** Resolves when calls can begin; rejects when the handshake failed. */
  readonly established: Promise<void>
  private readonly options: ClientSessionOptions
  private readonly link: Link
  private readonly opening = Promise.withResolvers<void>()
  private readonly calls = new Map<number, ClientCall>()
  private queue: ClientCall[] = []
  private stage: Stage = { kind: 'busy' }
  private lastCallId = 0
  /** Where the body of the current frame goes, and whether it ends there. */
  private receiving: ClientCall | undefined
  private receivesEnd = false
  private isRetired = false

  constructor(options: ClientSessionOptions) {
    const { connection, clock, tasks, limits } = options
    this.options = options
    this.established = this.opening.promise
    this.link = new Link({
      connection,
      clock,
      tasks,
      limits,
      sink: this,
      onClosed: (failure) => this.closed(failure),
    })
    this.step(() => this.greet())
  }

  /** Whether calls may begin. */
  get isOpen(): boolean {
    return this.stage.kind === 'open' && !this.isRetired
  }

  /** Sends the call, or queues it while the server has as many as it takes. */
  start(call: ClientCall): void {
    if (this.isRetired) return call.lose(undefined)
    if (this.stage.kind === 'open' && this.calls.size < this.stage.maxConcurrentCalls) return this.begin(call)
    this.queue = this.queue.filter((queued) => !queued.isOver)
    if (this.queue.length < this.options.limits.maxQueuedCalls) this.queue.push(call)
    else call.fail(new StoreError('Busy', 'too many calls wait for this connection'))
  }

  close(): void {
    this.link.close()
  }

  onFrame(frame: IncomingFrame): void {
    const { stage } = this
    if (frame.kind === frameKinds.error && frame.callId === 0) throw decodeError(frame.header)
    switch (stage.kind) {
      case 'busy':
        throw new StoreError('InvalidArgument', 'the server does not wait for the handshake')
      case 'expect-welcome':
        expectKind(frame, frameKinds.welcome)
        return this.step(() => this.prove(decodeWelcome(frame.header)))
      case 'expect-ready':
        expectKind(frame, frameKinds.ready)
        return this.open(stage.welcome)
      case 'open':
        return this.onCallFrame(frame)
    }
  }

  onBody(piece: Uint8Array, place: 'more' | 'last'): void {
    this.receiving?.receive(piece)
    if (place === 'last' && this.receivesEnd) this.receiving?.receiveEnd()
  }

  private onCallFrame(frame: IncomingFrame): void {
    const call = this.calls.get(frame.callId)
    this.receiving = call
    this.receivesEnd = (frame.flags & endOfBody) !== 0
    switch (frame.kind) {
      case frameKinds.reply:
        call?.onReply(frame)
        return this.endEmpty(frame)
      case frameKinds.data:
        return this.endEmpty(frame)
      case frameKinds.error:
        return call?.fail(asAnswer(decodeError(frame.header)))
      case frameKinds.credit:
        return call?.grant(decodeCredit(frame.header))
      case frameKinds.goaway:
        return this.retire()
      case frameKinds.hello:
      case frameKinds.welcome:
      case frameKinds.proof:
      case frameKinds.ready:
      case frameKinds.call:
      case frameKinds.cancel:
      case frameKinds.ping:
      case frameKinds.pong:
        throw new StoreError('InvalidArgument', 'the server sent a frame that has no place here')
    }
  }

  private endEmpty(frame: IncomingFrame): void {
    if (frame.bodySizeBytes === 0 && this.receivesEnd) this.receiving?.receiveEnd()
  }

  private begin(call: ClientCall): void {
    if (call.isOver) return
    const callId = this.nextCallId()
    this.calls.set(callId, call)
    call.begin(this.link, callId, () => this.over(callId))
  }

  /** 0 is the connection's own. After 2^32 calls the ids begin anew. */
  private nextCallId(): number {
    do {
      this.lastCallId = (this.lastCallId + 1) >>> 0
    } while (this.lastCallId === 0 || this.calls.has(this.lastCallId))
    return this.lastCallId
  }

  private over(callId: number): void {
    this.calls.delete(callId)
    const next = this.queue.shift()
    if (next !== undefined) this.start(next)
    this.closeIfDone()
  }

  /** The server is stopping: what it has will be answered, what is queued goes elsewhere. */
  private retire(): void {
    if (this.isRetired) return
    this.isRetired = true
    this.options.onRetired(this.queue.splice(0))
    this.closeIfDone()
  }

  private closeIfDone(): void {
    if (this.isRetired && this.calls.size === 0) this.link.close()
  }

  private closed(failure: StoreError | undefined): void {
    this.opening.reject(failure ?? new StoreError('Closed', 'the connection was closed'))
    const lost = [...this.calls.values(), ...this.queue.splice(0)]
    this.retire()
    for (const call of lost) call.lose(failure)
  }

  private step(act: () => Promise<Stage>): void {
    this.stage = { kind: 'busy' }
    act().then(
      (next) => {
        this.stage = next
      },
      (error: unknown) => this.link.close(StoreError.from(error)),
    )
  }

  private async greet(): Promise<Stage> {
    const credentials = await this.options.handshake.hello()
    const hello = encodeHello({
      lowestVersion: wireVersion,
      highestVersion: wireVersion,
      allowance: this.link.ours,
      credentials,
    })
    this.link.send({ kind: frameKinds.hello, callId: 0, header: [hello] })
    return { kind: 'expect-welcome' }
  }

  private async prove(welcome: Welcome): Promise<Stage> {
    if (welcome.version !== wireVersion)
      throw new StoreError('Incompatible', 'the server chose a version we do not speak')
    const proof = await this.options.handshake.prove(welcome.credentials)
    this.link.send({ kind: frameKinds.proof, callId: 0, header: [proof] })
    return { kind: 'expect-ready', welcome }
  }

  private open(welcome: Welcome): void {
    this.link.establish(welcome.allowance)
    this.stage = { kind: 'open', maxConcurrentCalls: welcome.maxConcurrentCalls }
    this.opening.resolve()
  }
}

function expectKind(frame: IncomingFrame, kind: number): void {
  if (frame.kind !== kind) throw new StoreError('InvalidArgument', 'the server breaks off the handshake')
}
