/** The bounds of one side of the wire. Both tell theirs in the handshake, and neither sends the other more. */
export interface RpcLimits {
  /** Of a call's or reply's payload (with a few bytes for the method). Beyond it: `TooLarge`, before anything is sent. */
  readonly maxPayloadBytes: number
  /** Of one frame's part of a body; larger pieces are cut, so that they do not hold up the calls beside them. */
  readonly maxFrameBodyBytes: number
  /** What a body's receiver holds for a consumer that is slow, per body. */
  readonly windowBytes: number
  /** Calls under way on one connection. A client queues beyond it, a server answers `Busy`. */
  readonly maxConcurrentCalls: number
  /** Calls that a client queues; beyond it they reject with `Busy`. */
  readonly maxQueuedCalls: number
  /** Connections that a server accepts; beyond it new ones are closed at once. */
  readonly maxConnections: number
  /** What gathers for a peer that does not read; beyond it the connection is given up. */
  readonly maxUnsentBytes: number
  readonly handshakeTimeoutMs: number
  /** After so long without a sign of the peer it is asked for one. */
  readonly pingAfterMs: number
  /** After so long without a sign of the peer the connection is given up. */
  readonly deadAfterMs: number
}

export const defaultRpcLimits: RpcLimits = {
  maxPayloadBytes: 4 * 1024 * 1024,
  maxFrameBodyBytes: 256 * 1024,
  windowBytes: 1024 * 1024,
  maxConcurrentCalls: 1024,
  maxQueuedCalls: 10_000,
  maxConnections: 1024,
  maxUnsentBytes: 64 * 1024 * 1024,
  handshakeTimeoutMs: 5_000,
  pingAfterMs: 10_000,
  deadAfterMs: 30_000,
}
