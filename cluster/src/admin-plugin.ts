/** Health and metrics: a front end of its own on a listener of its own, so that it answers when S3 is busy. */

import type { Metrics } from '@o3/common/metrics'
import { metricsContentType } from '@o3/common/metrics'
import { definePlugin } from '@o3/protocol-bus/api'
import type { HttpResponse } from '@o3/protocol-bus/api'

export interface Health {
  /** Undefined while all is well; else what is wrong, in one sentence. */
  readonly problem: () => string | undefined
}

interface AdminConfig {
  readonly host: string
  readonly port: number
}

type Page = (health: Health, metrics: Metrics) => HttpResponse

const pages: Readonly<Record<string, Page>> = {
  '/livez': () => text(200, 'alive\n'),
  '/readyz': (health) => {
    const problem = health.problem()
    return problem === undefined ? text(200, 'ready\n') : text(503, `${problem}\n`)
  },
  '/metrics': (_, metrics) => text(200, metrics.render(), metricsContentType),
}

/** Read-only and without credentials: it says nothing of names or keys, and it listens on loopback. */
export function adminPlugin(health: Health) {
  return definePlugin<AdminConfig, 'metrics'>({
    name: 'admin',
    needs: ['metrics'],
    config: ({ host, port }) => ({ host: String(host), port: Number(port) }),
    create: ({ metrics }, config) => ({
      mounts: [
        {
          kind: 'http',
          name: 'admin',
          ...config,
          handle: ({ method, target }) => Promise.resolve(answer(method, target, health, metrics)),
        },
      ],
      close: () => Promise.resolve(),
    }),
  })
}

function answer(method: string, target: string, health: Health, metrics: Metrics): HttpResponse {
  const [path = ''] = target.split('?', 1)
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined
  if (page === undefined) return text(404, `there are ${Object.keys(pages).join(', ')}\n`)
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET and HEAD\n')
  return page(health, metrics)
}

function text(status: number, body: string, type = 'text/plain; charset=utf-8'): HttpResponse {
  const length = String(Buffer.byteLength(body))
  return { status, headers: ['content-type', type, 'content-length', length, 'cache-control', 'no-store'], body }
}
