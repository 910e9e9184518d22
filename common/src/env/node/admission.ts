/**
 * The first bytes that a listener sends within TLS: one byte for "you are in", or another and the reason why not. In TLS
 * 1.3 a client has finished its handshake before the server has seen its certificate; without a word it would take a
 * refusal for a broken connection, and try for ever.
 */

import type tls from 'node:tls'
import { StoreError } from '../../errors.ts'
import { NodeConnection } from './node-connection.ts'

const admitted = 1
const refused = 0
const maxReasonBytes = 1024

export function admit(socket: tls.TLSSocket): void {
  socket.write(Uint8Array.of(admitted))
}

/** Says why, and closes; who does not listen is cut after two seconds. */
export function refuse(socket: tls.TLSSocket, reason: string): void {
  const connection = new NodeConnection(socket, 'a refused peer')
  const bytes = Buffer.from(reason).subarray(0, maxReasonBytes)
  // A peer that is gone already hears nothing, which is as it should be.
  connection.send([Uint8Array.of(refused), bytes]).then(
    () => connection.close(),
    () => connection.close(),
  )
}

/** Resolves when the listener has let us in. `Unauthenticated` with its reason. Takes no byte of what follows. */
export async function awaitAdmission(socket: tls.TLSSocket, remote: string): Promise<void> {
  const [word] = await take(socket, 1)
  if (word === admitted) return
  const reason = Buffer.from(await rest(socket)).toString('utf8')
  throw new StoreError('Unauthenticated', `${remote} does not let us in: ${reason}`)
}

/** Exactly so many bytes, or fewer at the end. */
async function take(socket: tls.TLSSocket, length: number): Promise<Uint8Array> {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null
    if (bytes !== null) return bytes
    if (socket.readableEnded || socket.destroyed) return new Uint8Array(0)
    await readable(socket)
  }
}

async function rest(socket: tls.TLSSocket): Promise<Uint8Array> {
  const pieces: Buffer[] = []
  let length = 0
  while (length < maxReasonBytes) {
    const bytes = socket.read() as Buffer | null
    if (bytes !== null) {
      pieces.push(bytes)
      length += bytes.length
    } else if (socket.readableEnded || socket.destroyed) break
    else await readable(socket)
  }
  return Buffer.concat(pieces).subarray(0, maxReasonBytes)
}

/** There is something to read, or the end. */
function readable(socket: tls.TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off('readable', settle)
      socket.off('end', settle)
      socket.off('close', settle)
      resolve()
    }
    socket.on('readable', settle)
    socket.on('end', settle)
    socket.on('close', settle)
  })
}
