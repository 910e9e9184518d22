/** Requests that must be refused: each with its S3 error, nothing stored, and the next good one served. */

import { get, must, put, send } from '../harness/requests.ts'
import { expect } from '../harness/suite.ts'
import type { Server } from '../harness/server.ts'
import { patterned } from '../harness/tree.ts'
import type { Answer } from '../harness/wire.ts'
import { badBodies } from './bad-bodies.ts'
import { badDocuments, startUpload } from './bad-documents.ts'
import type { Stage } from './bad-documents.ts'
import { badHeads } from './bad-heads.ts'
import { badNames, badNumbers, meaningfulHeaders, subResources } from './bad-names.ts'
import type { Case } from './case.ts'
import { expectRefusal, inventory } from './judge.ts'
import type { Verdict } from './judge.ts'

export interface Attack {
  readonly name: string
  readonly verdict: Verdict
  /** Undefined: the connection was ended without an answer, which only the verdict `cut` allows. */
  readonly act: () => Promise<Answer | undefined>
}

const goodBytes = patterned(10_000, 10)

/** Fills the server with what an attack could harm. */
export async function badInput(server: Server): Promise<readonly Case[]> {
  const bucket = 'enemy'
  const hollow = 'hollow'
  for (const name of [bucket, hollow]) await must(send(server, { method: 'PUT', target: `/${name}` }))
  await must(put(server, `/${bucket}/good`, goodBytes))
  const stage: Stage = { bucket, good: 'good', hollow, upload: await startUpload(server, bucket, 'in-parts') }
  let before = await inventory(server)
  const attacks = [
    ...badDocuments(server, stage),
    ...badBodies(server, stage),
    ...badNumbers(server, stage),
    ...badNames(server, stage),
    ...subResources(server, stage),
    ...meaningfulHeaders(server, stage),
    ...badHeads(server, stage),
  ]
  return attacks.map(({ name, verdict, act }) => ({
    name,
    run: async () => {
      const answer = await act()
      if (answer === undefined) expect(verdict.split('|').includes('cut'), `cut off, not answered ${verdict}`)
      else expectRefusal(answer, verdict)
      const served = await must(get(server, `/${bucket}/good`))
      expect(served.body.equals(goodBytes), 'a good object has other bytes now')
      const [was, is] = [before, await inventory(server)]
      before = is
      expect(is === was, `the store has changed:\n${is}\nbefore it was\n${was}`)
    },
  }))
}
