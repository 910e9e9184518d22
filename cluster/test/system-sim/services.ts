import { Graph } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import { createKeyring, sealingKeyBytes } from '@o3/common/keyring'
import { nullLogger, type Logger } from '@o3/common/logger'
import { GroupClient, trustedClient } from '@o3/common/rpc'
import type { OmCommand, OmReply } from '@o3/om/api'
import {
  OM,
  OM_CONFIG,
  OM_ENV,
  OM_LOG,
  OM_RECONCILERS,
  OM_SCM,
  OM_STORE,
  installOm,
  type OmConfig,
} from '@o3/om/module'
import { serveOm } from '@o3/om/rpc'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { ScmBlockProtocol } from '@o3/scm/api'
import { RemoteScm } from '@o3/scm/client'
import {
  SCM,
  SCM_CONFIG,
  SCM_ENV,
  SCM_LOG,
  SCM_SEALING,
  SCM_STORE,
  installScm,
  type ReplicationConfig,
  type ScmCommand,
  type ScmConfig,
  type ScmReply,
} from '@o3/scm/module'
import { serveScm } from '@o3/scm/rpc'
import { port, type RunningService } from './group-member.ts'

/** A client of a group, as processes of the cluster have it. */
export function groupClient(
  env: Env,
  name: string,
  members: readonly string[],
  options: { readonly deadlineMs?: number; readonly tryMs?: number } = {},
): GroupClient {
  return new GroupClient({
    env,
    name,
    members: members.map((id) => ({ id, address: { kind: 'tcp', host: id, port } })),
    authentication: trustedClient,
    ...options,
  })
}

export interface OmServiceOptions {
  readonly config: OmConfig
  readonly scmMembers: readonly string[]
  /** Between OM and its client of SCM: sees what is handed out. */
  readonly scm: (scm: ScmBlockProtocol) => ScmBlockProtocol
}

export function omService(
  env: Env,
  store: ReplicatedStore<OmCommand, OmReply>,
  options: OmServiceOptions,
): RunningService {
  const client = groupClient(env, 'scm', options.scmMembers)
  const scm = new RemoteScm(client)
  const graph = new Graph()
    .value(OM_ENV, env)
    .value(OM_LOG, nullLogger)
    .value(OM_CONFIG, options.config)
    .value(OM_STORE, store)
    .value(OM_SCM, { ...options.scm(scm), secretKeys: () => scm.secretKeys() })
  installOm(graph)
  const reconcilers = graph.get(OM_RECONCILERS)
  return {
    methods: serveOm<undefined>(graph.get(OM)),
    start: () => reconcilers.start(),
    stop: async () => {
      await reconcilers.stop()
      client.close()
    },
  }
}

export interface ScmServiceParts {
  readonly config: ScmConfig
  /** How copies are made and moved. Default: as in production. */
  readonly repair?: ReplicationConfig
  readonly log?: Logger
}

export function scmService(
  env: Env,
  store: ReplicatedStore<ScmCommand, ScmReply>,
  { config, repair, log = nullLogger }: ScmServiceParts,
): RunningService {
  const graph = new Graph()
    .value(SCM_ENV, env)
    .value(SCM_LOG, log)
    .value(SCM_CONFIG, config)
    .value(SCM_SEALING, createKeyring({ current: new Uint8Array(sealingKeyBytes).fill(7) }, env.random))
    .value(SCM_STORE, store)
  installScm(graph, repair)
  return {
    methods: serveScm<undefined>(graph.get(SCM), { mayHaveKeys: () => true }),
    start: () => {},
    stop: () => Promise.resolve(),
  }
}
