/** A connection on which anything can be sent, byte by byte, and on which answers are read as HTTP. */

import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  /** The statuses of the 1xx answers before it. */
  readonly interim: readonly number[]
}

export interface AnswerOptions {
  /** The answer to a HEAD has no body, whatever it says. */
  readonly to?: 'HEAD'
  /** Default 30 s. */
  readonly timeoutMs?: number
}

/** Before or within an answer. */
export class ConnectionEnded extends Error {}

export class Wire {
  readonly socket: Socket
  /** Settles when the server has ended the connection, or we have. */
  readonly closed: Promise<void>
  private pieces: Buffer[] = []
  private gone = false
  private late = false
  private wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (piece: Buffer) => {
      this.pieces.push(piece)
      this.wake()
    })
    // A reset is an end like any other here; which it was shows in what came before.
    socket.on('error', () => this.end())
    socket.on('end', () => this.end())
    this.closed = new Promise((resolve) => {
      for (const event of ['end', 'close'] as const) socket.once(event, () => resolve(this.end()))
    })
  }

  static open({ host, port }: { readonly host: string; readonly port: number }): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeListener('error', reject)
        resolve(new Wire(socket))
      })
    })
  }

  /** Resolves when the bytes have left, or can no longer leave: the answer says what became of them. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (!this.socket.writable) resolve()
      else this.socket.write(bytes, () => resolve())
    })
  }

  /** Nothing has come yet that was not read. */
  get isQuiet(): boolean {
    return this.pieces.every((piece) => piece.length === 0)
  }

  /** No more will be sent; answers are still read. */
  finish(): void {
    this.socket.end()
  }

  /** Gone at once, by a reset if there was more to come. */
  destroy(): void {
    this.socket.destroy()
  }

  /** The next answer. Rejects with `ConnectionEnded`, or with another error when it does not come in time. */
  async answer({ to, timeoutMs = 30_000 }: AnswerOptions = {}): Promise<Answer> {
    const late = setTimeout(() => {
      this.late = true
      this.wake()
    }, timeoutMs)
    try {
      const interim: number[] = []
      for (;;) {
        const head = parseHead(await this.until('\r\n\r\n'))
        if (head.status >= 200) return { ...head, interim, body: await this.body(head, to) }
        interim.push(head.status)
      }
    } finally {
      clearTimeout(late)
    }
  }

  private async body({ status, headers }: Omit<Answer, 'body' | 'interim'>, to?: 'HEAD'): Promise<Buffer> {
    if (to === 'HEAD' || status === 204 || status === 304) return Buffer.alloc(0)
    if (headers.get('transfer-encoding') === 'chunked') return this.chunkedBody()
    const length = headers.get('content-length')
    if (length === undefined) throw new Error('an answer does not say how long it is')
    return this.take(Number(length))
  }

  private async chunkedBody(): Promise<Buffer> {
    const chunks: Buffer[] = []
    for (;;) {
      const size = Number.parseInt(await this.until('\r\n'), 16)
      const chunk = await this.take(size + 2)
      if (size === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, size))
    }
  }

  private async until(mark: string): Promise<string> {
    for (;;) {
      const bytes = Buffer.concat(this.pieces)
      this.pieces = [bytes]
      const at = bytes.indexOf(mark)
      if (at >= 0) return (await this.take(at + mark.length)).toString('latin1')
      await this.more()
    }
  }

  private async take(length: number): Promise<Buffer> {
    while (this.pieces.reduce((sum, piece) => sum + piece.length, 0) < length) await this.more()
    const bytes = Buffer.concat(this.pieces)
    this.pieces = [bytes.subarray(length)]
    return bytes.subarray(0, length)
  }

  private async more(): Promise<void> {
    if (this.late) throw new Error('no whole answer in time')
    if (this.gone) throw new ConnectionEnded('the connection ended before a whole answer')
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
  }

  private end(): void {
    this.gone = true
    this.wake()
  }
}

function parseHead(text: string): Omit<Answer, 'body' | 'interim'> {
  const [first = '', ...lines] = text.trimEnd().split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]
  if (status === undefined) throw new Error(`this is no answer: ${first.slice(0, 100)}`)
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return { status: Number(status), headers: new Map(headers) }
}
