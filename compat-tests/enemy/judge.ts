/** What must hold after every attack: the answer is S3's, nothing was stored, and the server serves. */

import { expect } from '../harness/suite.ts'
import type { Server } from '../harness/server.ts'
import { element, elements, get, must } from '../harness/requests.ts'
import type { Answer } from '../harness/wire.ts'

/** `400 MalformedXML`; several where S3 has no one answer, with `|` between them; or `any 4xx`. */
export type Verdict = string

export function expectRefusal(answer: Answer, verdict: Verdict): void {
  const id = answer.headers.get('x-amz-request-id')
  expect(id !== undefined && id !== '', `no request id with ${answer.status}`)
  const code = element(answer.body, 'Code')
  const got = `${answer.status} ${code}`
  const meant = verdict === 'any 4xx' ? answer.status >= 400 && answer.status < 500 : verdict.split('|').includes(got)
  expect(meant, `answered ${got}, not ${verdict}\n${answer.body.toString().slice(0, 600)}`)
  expect(element(answer.body, 'RequestId') === id, 'the document carries another request id than the header')
}

/** Every bucket, object and upload, with what listings tell of them. */
export async function inventory(server: Server): Promise<string> {
  const lines: string[] = []
  for (const bucket of elements((await must(get(server, '/'))).body, 'Name')) {
    const objects = (await must(get(server, `/${bucket}?list-type=2`))).body.toString()
    const uploads = (await must(get(server, `/${bucket}?uploads`))).body
    const rows = [...objects.matchAll(/<Contents>.*?<\/Contents>/gs)].map(([row]) => row)
    lines.push(bucket, ...rows, ...elements(uploads, 'UploadId'))
  }
  return lines.join('\n')
}
