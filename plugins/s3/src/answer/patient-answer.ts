/**
 * Answers that may take long: a copy that reads its source for a checksum, the end of an upload of ten thousand parts.
 * Clients and proxies give up on a silent connection after a minute, so S3 says 200 while it still works and then sends
 * white space, which XML allows behind its declaration, until the document is there. An error that comes that late is a
 * document in a 200, and SDKs know that of these operations.
 */

import type { HttpResponse } from '@o3/protocol-bus/api'
import { errorDocument } from '../core/errors/error-document.ts'
import { xmlDeclaration } from '../core/xml/text.ts'
import type { Call } from '../operations/operation.ts'
import { baseHeaders, documentAnswer } from './answer.ts'

/** So long an answer stays an ordinary one, with a status that tells the truth. */
export const patienceMs = 10_000
/** Between two signs of life. */
export const breathMs = 5000

type Outcome =
  | { readonly kind: 'document'; readonly document: string }
  | { readonly kind: 'failed'; readonly error: unknown }

/** The document that `work` makes, as a plain answer when it comes in time. What it throws in time is thrown. */
export async function patientAnswer(call: Call, work: () => Promise<string>): Promise<HttpResponse> {
  const outcome: Promise<Outcome> = work().then(
    (document) => ({ kind: 'document', document }),
    (error: unknown) => ({ kind: 'failed', error }),
  )
  const early = await within(call, outcome, patienceMs)
  if (early === undefined) return lateAnswer(call, outcome)
  if (early.kind === 'failed') throw early.error
  return documentAnswer(call, early.document)
}

function lateAnswer(call: Call, outcome: Promise<Outcome>): HttpResponse {
  const headers = baseHeaders(call)
  headers.push('content-type', 'application/xml')
  return { status: 200, headers, body: signsOfLife(call, outcome) }
}

async function* signsOfLife(call: Call, outcome: Promise<Outcome>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(xmlDeclaration)
  for (;;) {
    const settled = await within(call, outcome, breathMs)
    if (settled !== undefined) {
      yield Buffer.from(documentOf(call, settled).slice(xmlDeclaration.length))
      return
    }
    yield Buffer.from(' ')
  }
}

function documentOf({ gateway, request }: Call, outcome: Outcome): string {
  if (outcome.kind === 'document') return outcome.document
  const error = gateway.refusal(request, outcome.error)
  return errorDocument(error, { requestId: request.id, hostId: gateway.hostId, resource: request.rawPath })
}

/** What it settled with, or undefined when it has not after `ms`. */
async function within(call: Call, outcome: Promise<Outcome>, ms: number): Promise<Outcome | undefined> {
  let cancel: (() => void) | undefined
  const timeout = new Promise<undefined>((resolve) => {
    cancel = call.gateway.clock.after(ms, () => resolve(undefined))
  })
  try {
    return await Promise.race([outcome, timeout])
  } finally {
    cancel?.()
  }
}
