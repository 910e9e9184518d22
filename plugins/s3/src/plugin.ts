/** The S3 front end as the host sees it. */

import { definePlugin } from '@o3/protocol-bus/api'
import { parseConfig } from './config.ts'
import { S3Gateway } from './router/gateway.ts'
import { hostRefusal } from './router/host-refusal.ts'

export { s3Section } from './config.ts'
export type { S3Config } from './config.ts'

/** One HTTP listener that speaks S3. It keeps nothing but derived signing keys; everything else is the store's. */
export const plugin = definePlugin({
  name: 's3',
  needs: ['store', 'identities', 'clock', 'random', 'log', 'metrics'],
  config: parseConfig,
  create(services, config) {
    const gateway = new S3Gateway(services, config)
    return {
      mounts: [
        {
          kind: 'http',
          name: 's3',
          host: config.host,
          port: config.port,
          handle: (request) => gateway.handle(request),
          refuse: (status, reason, requestId) => hostRefusal({ status, reason, requestId, hostId: gateway.hostId }),
        },
      ],
      close: async () => gateway.close(),
    }
  },
})
