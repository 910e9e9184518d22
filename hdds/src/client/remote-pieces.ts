import { StoreError, assert, isStoreError } from '@o3/common/errors'
import type { BlockId } from '@o3/scm/api'
import type { BlockAccess, ReadRange } from '../api/api.ts'
import { PatientBody } from '../rpc/patient-body.ts'
import { unreadable } from './datanode-channel.ts'
import type { DatanodeChannel } from './datanode-channel.ts'
import { plainBytes } from './plain-bytes.ts'

export interface RemotePiecesOptions {
  readonly channel: DatanodeChannel
  readonly block: BlockId
  readonly range: ReadRange
  readonly access?: BlockAccess
  readonly silenceMs: number
}

type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }
const method = 'hdds.read.1'

/**
 * What arrives are TLS records of 16 KiB, and each that is handed on costs its reader a write to another socket. The first
 * goes out as it comes, because somebody waits for it; later ones are joined up to this length. Less than a window, so the
 * datanode always has credit to send as much.
 */
const joinedBytes = 256 * 1024

/**
 * A range of a block as it arrives, exactly as long as was asked. When the connection breaks before the first byte it is
 * asked for once more: the connection may have been an old one, to a process that has been restarted since.
 */
export class RemotePieces implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly options: RemotePiecesOptions
  private body: PatientBody | undefined
  private asking: AbortController | undefined
  /** Of the range, not yet arrived. */
  private left: number
  /** Arrived, and more than a joined piece holds. */
  private held: Uint8Array | undefined
  private hasHandedOut = false
  private state: 'new' | 'open' | 'over' = 'new'

  constructor(options: RemotePiecesOptions) {
    this.options = options
    this.left = options.range.length
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    if (this.state === 'over') return over
    try {
      if (this.state === 'new') return await this.first()
      return await this.receive()
    } catch (error) {
      await this.return()
      throw this.options.channel.withoutEffect(error)
    }
  }

  async return(): Promise<Step> {
    const { state, body } = this
    this.state = 'over'
    this.body = undefined
    // Whoever leaves before the answer has begun is not sent any of it.
    this.asking?.abort(new StoreError('Aborted', 'the read was given up'))
    if (state === 'open') this.options.channel.leave()
    await body?.return()
    return over
  }

  private async first(): Promise<Step> {
    assertRange(this.options.range)
    this.options.channel.enter()
    this.state = 'open'
    try {
      await this.ask()
      return await this.receive()
    } catch (error) {
      const hasBegun = this.left < this.options.range.length
      if (hasBegun || this.hasLeft() || !isStoreError(error, 'Unavailable', 'OutcomeUnknown', 'Closed')) throw error
      await this.body?.return()
      await this.ask()
      return await this.receive()
    }
  }

  private hasLeft(): boolean {
    return this.state === 'over'
  }

  private async ask(): Promise<void> {
    const { channel, block, range, access, silenceMs } = this.options
    const payload = channel.encode(method, { block, range, ...access })
    const asking = new AbortController()
    this.asking = asking
    // Of the answer's beginning; afterwards the body has its own.
    const cancel = channel.clock.after(silenceMs, () => {
      asking.abort(new StoreError('DeadlineExceeded', `the datanode did not answer within ${silenceMs} ms`))
    })
    try {
      const result = await channel.call('bulk', method, payload, { signal: asking.signal })
      channel.decode(method, result.payload)
      this.body = new PatientBody(result.body ?? nothing(), { clock: channel.clock, silenceMs })
    } finally {
      this.asking = undefined
      cancel()
    }
  }

  private async receive(): Promise<Step> {
    const arrived = await this.arrival()
    if (arrived === undefined) return over
    if (this.hasHandedOut && this.left > 0 && arrived.length < joinedBytes) {
      return { done: false, value: await this.joined(arrived) }
    }
    this.hasHandedOut = true
    return { done: false, value: plainBytes(arrived) }
  }

  private async joined(first: Uint8Array): Promise<Uint8Array> {
    // Not used again: readers that gather pieces keep them over the next.
    const buffer = new Uint8Array(Math.min(joinedBytes, first.length + this.left))
    let filled = 0
    for (let arrived: Uint8Array | undefined = first; ; arrived = await this.arrival()) {
      assert(arrived, 'the range has more bytes')
      const part = arrived.subarray(0, buffer.length - filled)
      buffer.set(part, filled)
      filled += part.length
      if (part.length < arrived.length) this.held = arrived.subarray(part.length)
      if (filled === buffer.length || this.left === 0) return buffer.subarray(0, filled)
    }
  }

  /** The next bytes of the range; undefined behind the last. */
  private async arrival(): Promise<Uint8Array | undefined> {
    const { held } = this
    this.held = undefined
    if (held !== undefined) return held
    const step = await this.body?.next()
    if (step !== undefined && step.done !== true) {
      this.left -= step.value.length
      if (this.left >= 0) return step.value
    } else if (this.left === 0) {
      await this.return()
      return undefined
    }
    throw unreadable(method, new StoreError('IncompleteBody', 'the answer has not the length of the range'))
  }
}

/** What cannot be sent is refused as the datanode would. */
export function assertRange({ offset, length }: ReadRange): void {
  if (Number.isSafeInteger(offset + length) && offset >= 0 && length >= 0) return
  throw new StoreError('InvalidRange', 'the range reaches past the end of the block', { details: { offset, length } })
}

async function* nothing(): AsyncGenerator<Uint8Array, undefined> {}
