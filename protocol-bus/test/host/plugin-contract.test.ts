import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Credential } from '../../src/api/api.ts'
import type { OpenMount } from '../../src/host/host.ts'
import { pluginContract } from '../../src/testing/testing.ts'
import type { PluginAnswer, PluginClient } from '../../src/testing/testing.ts'
import { plugin } from './plain-plugin.ts'

function plainClient(mounts: readonly OpenMount[], credential: Credential): PluginClient {
  const { port } = mounts[0]!
  const open = (method: string, key: string, headers: Record<string, string | number> = {}): ClientRequest =>
    request({
      port,
      host: '127.0.0.1',
      method,
      path: `/photos/${key}`,
      agent: false,
      headers: { authorization: `Bearer ${credential.accessKeyId}:${credential.secret}`, ...headers },
    })
  const answerOf = async (sent: ClientRequest): Promise<PluginAnswer> => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.on('response', resolve)
      sent.on('error', reject)
    })
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece as Buffer)
    return { ok: response.statusCode === 200, bytes: Buffer.concat(pieces) }
  }
  return {
    put: (key, bytes) => {
      const sent = open('PUT', key, { 'content-length': bytes.length })
      sent.end(bytes)
      return answerOf(sent)
    },
    get: (key) => answerOf(open('GET', key).end()),
    breakOff: (key, bytes) => {
      const sent = open('PUT', key, { 'content-length': bytes.length })
      // We know that it breaks: we do it.
      sent.on('error', () => undefined)
      return new Promise((resolve) => {
        sent.write(bytes.subarray(0, bytes.length / 2), () => {
          sent.destroy()
          resolve()
        })
        sent.on('close', resolve)
      })
    },
    oversized: () => answerOf(open('GET', 'k', { 'x-large': 'x'.repeat(100_000) }).end()),
    close: () => Promise.resolve(),
  }
}

pluginContract('the plain plugin', { plugin, config: { port: 0 }, client: plainClient })

test('the README shows the plugin that is tested here', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const source = readFileSync(join(import.meta.dirname, 'plain-plugin.ts'), 'utf8')
  expect(readme).toContain(source.trim())
})
