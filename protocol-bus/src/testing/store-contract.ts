/**
 * What every store does, in the order in which a reader would ask. The reference store and the real one both pass it;
 * whoever writes another one calls this from a test file.
 */

import { afterEach, beforeEach, describe } from 'vitest'
import type { OpenedStore, OpenStore } from './contract/fixture.ts'
import { identityContract } from './contract/identities.ts'
import { keyContract } from './contract/keys.ts'
import { listingContract } from './contract/listing.ts'
import { rightsContract } from './contract/rights.ts'
import { uploadContract } from './contract/uploads.ts'
import { volumeContract } from './contract/volumes.ts'

export type { OpenedStore, OpenStore } from './contract/fixture.ts'

/** `open` is called before each test and answers a store with nothing in it. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name} is a store`, () => {
    let opened: OpenedStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())
    const now = (): OpenedStore => opened

    describe('keys', () => keyContract(now))
    describe('listing', () => listingContract(now))
    describe('uploads', () => uploadContract(now))
    describe('volumes and buckets', () => volumeContract(now))
    describe('rights', () => rightsContract(now))
    describe('identities', () => identityContract(now))
  })
}
