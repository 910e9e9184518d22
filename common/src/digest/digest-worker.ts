/** The thread in which the digest pool hashes. It fails as a whole: the pool rejects all its sessions. */

import { parentPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { assert, unreachable } from '../errors.ts'
import type { DigestReply, DigestRequest } from './digest-messages.ts'
import { createDigests } from './node-digest.ts'
import type { DigestSet } from './node-digest.ts'

assert(parentPort, 'the digest worker runs in a thread')
serve(parentPort)

function serve(port: MessagePort): void {
  const sessions = new Map<number, DigestSet>()
  const sessionOf = (id: number): DigestSet => {
    const found = sessions.get(id)
    assert(found, `there is no digest session ${id}`)
    return found
  }
  const reply = (answer: DigestReply): void => port.postMessage(answer)
  port.on('message', (request: DigestRequest) => {
    switch (request.kind) {
      case 'open':
        sessions.set(request.session, createDigests(request.algorithms))
        return
      case 'update':
        sessionOf(request.session).update(request.bytes)
        return reply(undefined)
      case 'finish':
        reply(sessionOf(request.session).finish())
        sessions.delete(request.session)
        return
      case 'abort':
        sessions.delete(request.session)
        return
      default:
        unreachable(request)
    }
  })
}
