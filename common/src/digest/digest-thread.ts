import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { StoreError } from '../errors.ts'
import type { DigestAlgorithm, Digests } from './digest.ts'
import type { DigestReply, DigestRequest } from './digest-messages.ts'

interface Waiting {
  readonly resolve: (reply: DigestReply) => void
  readonly reject: (error: StoreError) => void
}

/**
 * One worker thread and the sessions in it. When it dies, all that wait for it reject, and so do later calls.
 *
 * The thread is piscina's: a pool of one whose only task serves a port until it is closed. The task is one because the
 * state of a hash cannot move between threads, and a task per session would hold the thread for as long as a client
 * sends.
 */
export class DigestThread {
  private readonly pool: Piscina
  private readonly port: MessagePort
  /** Those who wait for an answer, in the order in which the worker gives them. */
  private readonly waiting: Waiting[] = []
  /** By session, what to do when it ends. */
  private readonly ends = new Map<number, () => void>()
  private death: StoreError | undefined

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.port.on('message', (reply: DigestReply) => this.waiting.shift()?.resolve(reply))
    this.pool = new Piscina({
      filename: new URL('./digest-worker.ts', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      // Waiting on a lock between tasks would also stop the messages of the one task there is.
      atomics: 'disabled',
    })
    this.pool.run(port2, { name: 'serve', transferList: [port2] }).then(
      () => this.die(new StoreError('Unavailable', 'a hashing thread stopped')),
      (cause: unknown) => this.die(new StoreError('Unavailable', 'a hashing thread failed', { cause })),
    )
  }

  get dead(): boolean {
    return this.death !== undefined
  }

  get sessions(): number {
    return this.ends.size
  }

  /** `onEnd` is called once, when the session finished, was aborted, or died with the thread. */
  open(session: number, algorithms: readonly DigestAlgorithm[], onEnd: () => void): void {
    this.ends.set(session, onEnd)
    this.post({ kind: 'open', session, algorithms })
  }

  async update(session: number, bytes: Uint8Array): Promise<void> {
    await this.ask(session, { kind: 'update', session, bytes: shareable(bytes) })
  }

  async finish(session: number): Promise<Digests> {
    const digests = await this.ask(session, { kind: 'finish', session })
    this.end(session)
    return digests ?? {}
  }

  abort(session: number): void {
    if (this.ends.has(session)) this.post({ kind: 'abort', session })
    this.end(session)
  }

  async close(): Promise<void> {
    this.die(new StoreError('Closed', 'the digest pool is closed'))
    this.port.close()
    await this.pool.destroy()
  }

  private ask(session: number, request: DigestRequest): Promise<DigestReply> {
    if (this.death !== undefined) return Promise.reject(this.death)
    if (!this.ends.has(session)) return Promise.reject(new StoreError('Aborted', 'the hashing was given up'))
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.post(request)
    })
  }

  private post(request: DigestRequest): void {
    this.port.postMessage(request)
  }

  private end(session: number): void {
    const onEnd = this.ends.get(session)
    this.ends.delete(session)
    onEnd?.()
  }

  private die(error: StoreError): void {
    this.death ??= error
    for (const session of this.ends.keys()) this.end(session)
    for (const { reject } of this.waiting.splice(0)) reject(this.death)
  }
}

/** A view of shared memory goes over as a reference; of anything else the message would copy the whole buffer under it. */
function shareable(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : bytes.slice()
}
