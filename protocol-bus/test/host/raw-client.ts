/** A client that sends exactly these bytes, and shows exactly those that come back. */

import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface RawResponse {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export class RawClient {
  readonly socket: Socket
  private text = ''
  private ended = false
  private wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (piece: Buffer) => {
      this.text += piece.toString('latin1')
      this.wake?.()
    })
    for (const event of ['end', 'close', 'error'] as const) {
      socket.on(event, () => {
        this.ended = true
        this.wake?.()
      })
    }
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new RawClient(socket)))
    })
  }

  send(text: string | Uint8Array): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
    return this
  }

  /** Everything that came, once `isEnough` says so or the connection has ended. */
  async until(isEnough: (text: string) => boolean): Promise<string> {
    while (!this.ended && !isEnough(this.text)) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return this.text
  }

  /** The next response; takes it away from what came. `100 Continue` is one too. */
  async response(options: { readonly headOnly?: boolean } = {}): Promise<RawResponse> {
    await this.until((text) => parse(text, options) !== undefined)
    const parsed = parse(this.text, options)
    if (parsed === undefined) throw new Error(`no response, but ${JSON.stringify(this.text)}`)
    this.text = parsed.rest
    return parsed.response
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<string> {
    return this.until(() => false)
  }

  get isClosed(): boolean {
    return this.ended
  }

  close(): void {
    this.socket.destroy()
  }
}

function parse(
  text: string,
  { headOnly = false }: { readonly headOnly?: boolean },
): { readonly response: RawResponse; readonly rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map(lines.map((line) => [line.split(': ')[0]!.toLowerCase(), line.slice(line.indexOf(': ') + 2)]))
  const status = Number(statusLine.split(' ')[1])
  const start = end + 4
  const length = headOnly || status < 200 ? 0 : Number(headers.get('content-length') ?? 0)
  if (text.length < start + length) return undefined
  return { response: { status, headers, body: text.slice(start, start + length) }, rest: text.slice(start + length) }
}
