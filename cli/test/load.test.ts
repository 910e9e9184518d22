import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { fill } from '../src/load/load.ts'
import type { LoadOptions } from '../src/load/load.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function optionsFor(answer: RequestListener): Promise<LoadOptions> {
  const listening = createServer(answer)
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  return {
    endpoint: new URL(`http://127.0.0.1:${port}`),
    key: { accessKey: 'a', secretKey: 'b', region: 'us-east-1' },
    bucket: 'bench',
    operation: 'put',
    sizeBytes: 1000,
    connections: 2,
    durationMs: 1,
    keys: 6,
    prefix: 'x-',
  }
}

test('filling goes on, on another connection, where it is asked to slow down', async () => {
  const put = new Set<string>()
  const refused = new Set<string>()
  const options = await optionsFor((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    // Every second key is refused once, before its body was read.
    if (path.endsWith('1') && !refused.has(path)) {
      refused.add(path)
      response.writeHead(503, { 'content-length': 0, connection: 'close' }).end()
      return
    }
    request.resume().on('end', () => {
      put.add(path)
      response.writeHead(200, { 'content-length': 0 }).end()
    })
  })
  await fill(options)
  expect(put.size).toBe(6)
  expect(refused.size).toBeGreaterThan(0)
})

test('filling ends at another refusal, and where the server closes without an answer', async () => {
  const refusing = await optionsFor((request, response) => {
    request.resume().on('end', () => response.writeHead(403, { 'content-length': 0 }).end())
  })
  await expect(fill(refusing)).rejects.toThrow('PUT was answered with 403')
  server?.closeAllConnections()
  server?.close()
  const closing = await optionsFor((request) => request.socket.destroy())
  await expect(fill(closing)).rejects.toThrow(/closed|ECONNRESET|EPIPE/)
})
