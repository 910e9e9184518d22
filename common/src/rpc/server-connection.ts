import { AssertionError, StoreError } from '../errors.ts'
import type { ServerHandshake } from './authentication.ts'
import type { FrameSink } from './frame-decoder.ts'
import { endOfBody, frameKinds } from './frame.ts'
import type { IncomingFrame } from './frame.ts'
import type { RpcLimits } from './limits.ts'
import { Link } from './link.ts'
import type { LinkOptions } from './link.ts'
import { decodeCallHead, decodeCredit, decodeHello, encodeError, encodeWelcome, wireVersion } from './messages.ts'
import type { Hello } from './messages.ts'
import { ServerCall } from './server-call.ts'
import type { RpcHandler } from './server-call.ts'

export interface ServerConnectionOptions<Peer> extends Pick<LinkOptions, 'connection' | 'clock' | 'tasks'> {
  readonly limits: RpcLimits
  readonly handshake: ServerHandshake<Peer>
  readonly methods: ReadonlyMap<string, RpcHandler<Peer>>
  readonly onBug: (method: string, error: unknown) => void
  readonly onClosed: (failure: StoreError | undefined) => void
}

type Stage<Peer> =
  | { readonly kind: 'expect-hello' }
  | { readonly kind: 'expect-proof'; readonly hello: Hello }
  | { readonly kind: 'busy' }
  | { readonly kind: 'open'; readonly peer: Peer }

const pauseAboveBytes = 1024 * 1024

/** The server's end of one connection: the handshake, then any number of calls at a time. */
export class ServerConnection<Peer> implements FrameSink {
  private readonly options: ServerConnectionOptions<Peer>
  private readonly link: Link
  private readonly calls = new Map<number, ServerCall<Peer>>()
  private stage: Stage<Peer> = { kind: 'expect-hello' }
  /** Handlers that have not returned, those of cancelled calls included. */
  private running = 0
  /** Where the body of the current frame goes, and whether it ends there. */
  private receiving: ServerCall<Peer> | undefined
  private receivesEnd = false
  private isDraining = false

  constructor(options: ServerConnectionOptions<Peer>) {
    const { connection, clock, tasks, limits } = options
    this.options = options
    this.link = new Link({
      connection,
      clock,
      tasks,
      limits,
      sink: this,
      pauseAboveBytes,
      onClosed: (failure) => this.closed(failure),
    })
  }

  /** Takes no more calls; closes when the last one is answered. */
  drain(): void {
    if (this.isDraining) return
    this.isDraining = true
    if (this.stage.kind === 'open') this.link.send({ kind: frameKinds.goaway, callId: 0 })
    if (this.calls.size === 0) this.link.close()
  }

  /** Ends the calls with `error` and closes. */
  close(error: StoreError): void {
    for (const call of this.calls.values()) call.fail(error)
    this.link.close()
  }

  onFrame(frame: IncomingFrame): void {
    const { stage } = this
    switch (stage.kind) {
      case 'expect-hello':
        return this.step(frame, frameKinds.hello, () => this.greet(frame.header))
      case 'expect-proof':
        return this.step(frame, frameKinds.proof, () => this.admit(stage.hello, frame.header))
      case 'busy':
        throw new StoreError('InvalidArgument', 'the client does not wait for the handshake')
      case 'open':
        return this.onCallFrame(frame, stage.peer)
    }
  }

  onBody(piece: Uint8Array, place: 'more' | 'last'): void {
    this.receiving?.receive(piece)
    if (place === 'last' && this.receivesEnd) this.receiving?.receiveEnd()
  }

  private onCallFrame(frame: IncomingFrame, peer: Peer): void {
    const call = this.calls.get(frame.callId)
    this.receiving = undefined
    this.receivesEnd = (frame.flags & endOfBody) !== 0
    switch (frame.kind) {
      case frameKinds.call:
        return this.begin(frame, peer)
      case frameKinds.data:
        return this.expectBody(call, frame)
      case frameKinds.credit:
        return call?.grant(decodeCredit(frame.header))
      case frameKinds.cancel:
        return call?.abort(new StoreError('Aborted', 'the client has cancelled the call'))
      case frameKinds.hello:
      case frameKinds.welcome:
      case frameKinds.proof:
      case frameKinds.ready:
      case frameKinds.reply:
      case frameKinds.error:
      case frameKinds.goaway:
      case frameKinds.ping:
      case frameKinds.pong:
        throw new StoreError('InvalidArgument', 'the client sent a frame that has no place here')
    }
  }

  private begin(frame: IncomingFrame, peer: Peer): void {
    const { callId } = frame
    if (this.calls.has(callId)) throw new StoreError('InvalidArgument', 'the client uses the id of an open call again')
    const head = decodeCallHead(frame.header)
    const handler = this.options.methods.get(head.method)
    if (handler === undefined) {
      return this.refuse(callId, new StoreError('NotImplemented', `there is no method ${head.method}`))
    }
    const { maxConcurrentCalls } = this.options.limits
    if (this.isDraining) return this.refuse(callId, new StoreError('Closed', 'the server is stopping'))
    // Handlers of cancelled calls may still run: they count, or calling and cancelling would have no bound.
    if (this.calls.size >= maxConcurrentCalls || this.running >= 2 * maxConcurrentCalls) {
      return this.refuse(callId, new StoreError('Busy', 'too many calls on this connection'))
    }
    const { clock, onBug } = this.options
    const call = new ServerCall<Peer>({
      link: this.link,
      callId,
      head,
      flags: frame.flags,
      peer,
      after: (delayMs, action) => clock.after(delayMs, action),
      onOver: (id) => this.over(id),
      onBug,
    })
    this.calls.set(callId, call)
    this.expectBody(call, frame)
    this.running++
    call.run(handler).then(
      () => this.running--,
      (bug: unknown) => this.stop(bug),
    )
  }

  private expectBody(call: ServerCall<Peer> | undefined, frame: IncomingFrame): void {
    this.receiving = call
    if (frame.bodySizeBytes === 0 && this.receivesEnd) call?.receiveEnd()
  }

  private refuse(callId: number, error: StoreError): void {
    this.link.send({ kind: frameKinds.error, callId, header: [encodeError(error.toRecord())] })
  }

  private over(callId: number): void {
    this.calls.delete(callId)
    if (this.isDraining && this.calls.size === 0) this.link.close()
  }

  private closed(failure: StoreError | undefined): void {
    for (const call of this.calls.values()) call.abort(new StoreError('Aborted', 'the connection is gone'))
    this.options.onClosed(failure)
  }

  /** One step of the handshake. Frames that come before it is done break the connection. */
  private step(frame: IncomingFrame, expected: number, act: () => Promise<Stage<Peer>>): void {
    if (frame.kind !== expected) throw new StoreError('Unauthenticated', 'the client did not authenticate')
    this.stage = { kind: 'busy' }
    act().then(
      (next) => {
        this.stage = next
      },
      (error: unknown) => this.reject(error),
    )
  }

  private async greet(header: Uint8Array): Promise<Stage<Peer>> {
    const hello = decodeHello(header)
    if (hello.lowestVersion > wireVersion || hello.highestVersion < wireVersion) {
      throw new StoreError('Incompatible', `this server speaks version ${wireVersion} of the wire`)
    }
    const credentials = await this.options.handshake.welcome(hello.credentials)
    const { maxConcurrentCalls } = this.options.limits
    const welcome = encodeWelcome({ version: wireVersion, allowance: this.link.ours, maxConcurrentCalls, credentials })
    this.link.send({ kind: frameKinds.welcome, callId: 0, header: [welcome] })
    return { kind: 'expect-proof', hello }
  }

  private async admit(hello: Hello, proof: Uint8Array): Promise<Stage<Peer>> {
    const peer = await this.options.handshake.accept(proof)
    this.link.establish(hello.allowance)
    this.link.send({ kind: frameKinds.ready, callId: 0 })
    return { kind: 'open', peer }
  }

  private reject(error: unknown): void {
    if (error instanceof AssertionError) return this.stop(error)
    if (!(error instanceof StoreError)) this.options.onBug('handshake', error)
    const told = StoreError.from(error)
    this.link.send({ kind: frameKinds.error, callId: 0, header: [encodeError(told.toRecord())] })
    this.link.close()
  }

  /** A bug: the environment decides what stops. */
  private stop(bug: unknown): void {
    this.options.tasks.spawn('rpc.call', () => Promise.reject(bug))
  }
}
