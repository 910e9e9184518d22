import { StoreError } from '@o3/common/errors'
import { definePlugin } from '@o3/protocol-bus/api'
import type { HttpRequest, HttpResponse, Identities, O3Store } from '@o3/protocol-bus/api'

/** Files over plain HTTP: `PUT` and `GET /bucket/key` with `Authorization: Bearer <access key>:<secret>`. */
export const plugin = definePlugin({
  name: 'plain',
  needs: ['store', 'identities'],
  config({ port = 0 }) {
    if (!Number.isInteger(port)) throw new StoreError('InvalidArgument', 'port must be a number')
    return { port: Number(port) }
  },
  create({ store, identities }, { port }) {
    let closed = false
    const handle = async (request: HttpRequest): Promise<HttpResponse> => {
      try {
        if (closed) throw new StoreError('Closed', 'the front end is closed')
        return await serve(request, store, identities)
      } catch (error) {
        const { code, category, publicMessage } = StoreError.from(error)
        return {
          status: statusOf[category],
          headers: ['Content-Type', 'text/plain'],
          body: `${code}: ${publicMessage}\n`,
        }
      }
    }
    const close = async (): Promise<void> => void (closed = true)
    return { mounts: [{ kind: 'http', name: 'plain', host: '127.0.0.1', port, handle }], close }
  },
})

async function serve(request: HttpRequest, store: O3Store, identities: Identities): Promise<HttpResponse> {
  const at = request.rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization')
  const [id = '', secret] = request.rawHeaders[at + 1]?.replace('Bearer ', '').split(':') ?? []
  const credential = await identities.lookup(id)
  if (credential === undefined || credential.secret !== secret) throw new StoreError('Unauthenticated', 'who are you?')
  const [, bucket = '', key = ''] = request.target.split('/').map(decodeURIComponent)
  const { keys } = store.session(credential.principal)
  const ref = { volume: 's3v', bucket, key }
  if (request.method === 'PUT') {
    const { etag } = await keys.put(ref, request.body.stream(), {
      ...(request.body.length === undefined ? {} : { size: request.body.length }),
      digests: ['md5'],
      finish: ({ md5 }) => ({ etag: Buffer.from(md5!).toString('hex'), headers: {}, metadata: {}, tags: {} }),
      preconditions: {},
    })
    return { status: 200, headers: ['ETag', `"${etag}"`], body: '' }
  }
  if (request.method !== 'GET') throw new StoreError('NotImplemented', 'only PUT and GET')
  const { info, body } = await keys.get(ref)
  return { status: 200, headers: ['ETag', `"${info.etag}"`, 'Content-Length', String(body.length)], body: body.bytes }
}

const statusOf = {
  invalid: 400,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  limit: 507,
  unavailable: 503,
  'unknown-outcome': 504,
  damaged: 500,
  unsupported: 501,
  internal: 500,
} as const
