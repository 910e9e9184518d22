/** The native front end as the host sees it. */

import { definePlugin } from '@o3/protocol-bus/api'
import { defaultNativePort, parseConfig } from './config.ts'
import { NativeServer } from './server/native-server.ts'

export { defaultNativePort, nativeSection } from './config.ts'
export type { NativeConfig } from './config.ts'

/** One framed listener that speaks the native protocol. It keeps nothing but its connections. */
export const plugin = definePlugin({
  name: 'native',
  needs: ['store', 'identities', 'clock', 'random', 'tasks', 'log', 'metrics'],
  config: parseConfig,
  create(services, { host, port = defaultNativePort }) {
    const server = new NativeServer(services)
    return {
      mounts: [
        {
          kind: 'framed',
          name: 'native',
          host,
          port,
          serve: (connection) => server.serve(connection),
          drain: () => server.drain(),
        },
      ],
      close: () => server.close(),
    }
  },
})
