import { StoreError } from '@o3/common/errors'
import type { GetOptions, KeyRef, Keys } from '@o3/protocol-bus/api'
import { trailer, wholeBodyBytes } from '../core/calls.ts'
import { ExactBody } from './exact-body.ts'
import { checkKeyName } from './key-name.ts'
import { sendBody } from './put.ts'
import type { Wire } from './wire.ts'

export function nativeKeys(wire: Wire): Keys {
  return {
    async put(ref, body, { finish, signal, ...options }) {
      checkKeyName(ref.key)
      return sendBody(body, {
        ...options,
        clock: wire.clock,
        trailer,
        seal: (digests, size) => ({ digests, attributes: finish(digests, size) }),
        signal,
        send: (bytes, sealed) => wire.carry('keys.put.1', { ref, ...options, ...sealed }, { body: bytes, signal }),
      })
    },
    get: (ref, options = {}) => get(wire, ref, options),
    head: (ref, options) => wire.ask('keys.head.1', { ref, ...options }),
    list: (ref, options) => wire.ask('keys.list.1', { ref, ...options }),
    copy: (source, target, options) => wire.ask('keys.copy.1', { source, target, ...options }),
    rename: (ref, to, options) => wire.ask('keys.rename.1', { ref, to, ...options }),
    delete: (ref, options) => wire.ask('keys.delete.1', { ref, ...options }),
    deleteMany: async (ref, keys) => wire.ask('keys.delete-many.1', { ref, keys }),
    setTags: (ref, tags) => wire.ask('keys.set-tags.1', { ref, tags }),
  }
}

async function get(wire: Wire, ref: KeyRef, { signal, ...options }: GetOptions) {
  const { reply, body } = await wire.carry('keys.get.1', { ref, ...options }, { signal })
  const length = reply.end - reply.start
  if (body === undefined) throw new StoreError('Incompatible', 'the answer has no body')
  // A small one is here already, and one that its caller does not read must not hold a place on the connection.
  const exact = new ExactBody(body, length)
  const bytes = length <= wholeBodyBytes ? await gather(exact) : exact
  return { ...reply, body: { length, bytes } }
}

async function gather(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
}
