/** The task in which the digest pool hashes. It fails as a whole: the pool rejects all its sessions. */

import type { MessagePort } from 'node:worker_threads'
import { assert, unreachable } from '../errors.ts'
import type { DigestReply, DigestRequest } from './digest-messages.ts'
import { createDigests } from './node-digest.ts'
import type { DigestSet } from './node-digest.ts'

/** The task: answers `port` until the other side closes it. Rejects with what went wrong. */
export function serve(port: MessagePort): Promise<void> {
  const sessions = new Map<number, DigestSet>()
  const sessionOf = (id: number): DigestSet => {
    const found = sessions.get(id)
    assert(found, `there is no digest session ${id}`)
    return found
  }
  const reply = (answer: DigestReply): void => port.postMessage(answer)
  const obey = (request: DigestRequest): void => {
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
  }
  return new Promise((resolve, reject) => {
    port.on('message', (request: DigestRequest) => {
      try {
        obey(request)
      } catch (error) {
        reject(error)
        port.close()
      }
    })
    port.on('close', resolve)
  })
}
