/** `docs/reference/errors.md`: every error of O3, and what each front end makes of it. */

import { exitCodeOf } from '../../cli/src/command-line.ts'
import { StoreError, categoryOf, retryOf, storeErrorCodes } from '../../common/src/errors.ts'
import type { ErrorCategory, RetryAdvice } from '../../common/src/errors.ts'
import { s3ErrorOf } from '../../plugins/s3/src/core/errors/store-errors.ts'

const categories = {
  invalid: 'The request is wrong, and always will be.',
  denied: 'Not with these credentials.',
  'not-found': 'There is no such thing.',
  conflict: 'What is there forbids it now.',
  limit: 'A quota or a bound.',
  unavailable: 'It did not happen; later, or elsewhere, it may.',
  'unknown-outcome': 'It may or may not have happened: repeat it with the same request id.',
  damaged: 'Stored bytes failed their verification.',
  unsupported: 'Not in this release.',
  internal: 'A bug. The log has its inside, the answer has not.',
} as const satisfies Record<ErrorCategory, string>

const advice = {
  never: 'no',
  'same-request': 'yes, with the same request id',
  'after-delay': 'yes, after a while',
} as const satisfies Record<RetryAdvice, string>

export function errorsPage(): string {
  const sections = Object.entries(categories).map(([category, meaning]) => {
    const codes = storeErrorCodes.filter((code) => categoryOf(code) === category)
    const rows = codes.map((code) => {
      const error = new StoreError(code, 'shown')
      const s3 = s3ErrorOf(error, {})
      return `| \`${code}\` | ${advice[retryOf(code)]} | ${s3.status} \`${s3.code}\` | ${exitCodeOf(error)} |`
    })
    const head = ['| error | again? | S3 answers | `o3` exits with |', '|---|---|---|---|']
    return [`## ${category}`, '', meaning, '', ...head, ...rows].join('\n')
  })
  return `${[introduction, ...sections].join('\n\n')}\n`
}

const introduction = `# Errors

O3 has one vocabulary of errors. The native protocol sends a code as it is, with a sentence and facts; every other front
end has a total map. What the S3 column shows is the usual answer: a few errors become another one where the request
says more, as a missing key under \`If-Match\`.`
