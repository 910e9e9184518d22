/** What every store does, over the wire: the suite cannot tell the difference. */

import { Secret } from '@o3/common/log'
import { keyClient } from '@o3/common/rpc'
import type { O3Session, Principal } from '@o3/protocol-bus/api'
import { referenceStore, storeContract } from '@o3/protocol-bus/testing'
import { nativeSession } from '../src/client/native-session.ts'
import { Wire } from '../src/client/wire.ts'
import { chance, everybody, keyOf, serve, ticking } from './worlds.ts'

storeContract('the reference store behind the native protocol', async () => {
  const reference = referenceStore({ clock: ticking, random: chance, users: [], volumes: [] })
  const { env, address, stop } = await serve({ store: reference.store, identities: everybody })
  const wires = new Map<string, Wire>()
  const wireOf = (principal: Principal): Wire => {
    const [keyId, secret] = keyOf(principal)
    const known = wires.get(keyId)
    if (known !== undefined) return known
    const authentication = keyClient({ keyId, secret: new Secret(secret) }, env.random)
    const wire = new Wire({ env, address, authentication })
    wires.set(keyId, wire)
    return wire
  }
  return {
    store: { session: (principal): O3Session => nativeSession(wireOf(principal), principal) },
    identities: reference.identities,
    async close() {
      for (const wire of wires.values()) wire.close()
      await stop()
    },
  }
})
