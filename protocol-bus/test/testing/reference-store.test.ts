import { randomBytes } from 'node:crypto'
import { referenceStore, storeContract } from '../../src/testing/testing.ts'

let nowMs = 1_767_225_600_000

storeContract('the reference store', async () => ({
  ...referenceStore({
    clock: { wallMs: () => (nowMs += 1000) },
    random: { bytes: (length) => new Uint8Array(randomBytes(length)) },
    users: [],
    volumes: [],
  }),
  close: () => Promise.resolve(),
}))
