import type { Bucket } from '@o3/protocol-bus/api'
import { documentAnswer } from '../answer/answer.ts'
import { listBucketsDocument } from '../core/xml/write-listing.ts'
import { continuationToken, nameOfToken } from '../listing/continuation-token.ts'
import { ownerRow } from '../listing/list-objects-page.ts'
import { countOf } from '../listing/list-parameters.ts'
import { invalidArgument } from '../core/errors/s3-error.ts'
import type { Call, Operation } from './operation.ts'

const maxBuckets = 10_000
/** What is asked of the store at once. */
const storePage = 1000

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html */
export const listBuckets: Operation = {
  name: 'ListBuckets',
  method: 'GET',
  level: 'service',
  query: [],
  parameters: ['bucket-region', 'continuation-token', 'max-buckets', 'prefix'],
  headers: [],
  action: 'bucket:read',
  notes: ['Lists the buckets that the caller may read, not only those that it owns.'],

  async handle(call) {
    const { config } = call.gateway
    const { query } = call.request
    const prefix = query.get('prefix') ?? ''
    const limit = countOf(call.request, 'max-buckets', maxBuckets)
    if (limit === 0) throw invalidArgument('max-buckets must be between 1 and 10000', 'max-buckets', '0')
    const token = query.get('continuation-token') ?? ''
    const region = query.get('bucket-region') ?? ''
    const elsewhere = region !== '' && region !== config.region
    const after = token === '' ? '' : nameOfToken(token)
    const page = elsewhere ? { items: [], truncated: false } : await bucketsAfter(call, { prefix, after, limit })
    const last = page.items.at(-1)
    return documentAnswer(
      call,
      listBucketsDocument({
        owner: ownerRow(call.session.principal.user),
        buckets: page.items.map(({ name, createdMs }) => ({ name, createdMs, region: config.region })),
        ...(prefix === '' ? {} : { prefix }),
        ...(page.truncated && last !== undefined ? { continuationToken: continuationToken(last.name) } : {}),
      }),
    )
  },
}

async function bucketsAfter(
  { session, gateway }: Call,
  asked: { readonly prefix: string; readonly after: string; readonly limit: number },
): Promise<{ readonly items: readonly Bucket[]; readonly truncated: boolean }> {
  const items: Bucket[] = []
  let { after } = asked
  for (;;) {
    const limit = Math.min(storePage, asked.limit - items.length)
    const page = await session.buckets.list(gateway.config.volume, { prefix: asked.prefix, after, limit })
    items.push(...page.items)
    const last = page.items.at(-1)
    if (!page.truncated || last === undefined || items.length === asked.limit) {
      return { items, truncated: page.truncated }
    }
    after = last.name
  }
}
