/** `o3 gateway`: a process that serves S3 and the native protocol, and keeps nothing. */

import { StoreError, assert } from '@o3/common/errors'
import { BlockClient, DatanodeDirectory, EcReader, openCodePool } from '@o3/hdds/client'
import { RemoteOm } from '@o3/om/client'
import { BUS_BLOCKS, BUS_KEYRING, BUS_OM, BUS_SCM } from '@o3/protocol-bus/module'
import { RemoteScm } from '@o3/scm/client'
import type { Scm } from '@o3/scm/client'
import type { ReplicationConfig } from '@o3/scm/api'
import { findCredentials, installAdministrator, s3Volume } from '../administrator.ts'
import type { AdministratorCredentials } from '../administrator.ts'
import { readSealingKey } from '../cluster-file/read-cluster.ts'
import { writeEndpoints } from '../endpoints.ts'
import { startFrontEnds } from '../parts/front-ends.ts'
import { startStore } from '../parts/store.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { GatewayRoleConfig } from './gateway-config.ts'
import { groupClient } from './group.ts'
import { hasPlaces } from './places.ts'
import { watchReachability } from './reachability.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions, Seat } from './role-process.ts'

export { gatewayConfigSchema } from './gateway-config.ts'

export function startGatewayRole(config: GatewayRoleConfig, options: RoleOptions): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'gateway', settings: config }, options, async (seat) => {
    const { env, graph, cluster, member, directory } = seat
    const endpoints = cluster.gateways.find(({ id }) => id === member.id)
    assert(endpoints !== undefined, 'the member is of the file')
    const om = new RemoteOm(await groupClient(seat, 'om'))
    const scm = new RemoteScm(await groupClient(seat, 'scm'))
    const datanodes = new DatanodeDirectory({ env: seat.wire.env, authentication: seat.wire.callsTo('datanode') })
    await seat.lifecycle.start('clients of datanodes', { start: () => {}, stop: () => datanodes.close() })
    const code = openCodePool()
    await seat.lifecycle.start('decoding threads', { start: () => {}, stop: () => code.close() })
    const { clock } = env
    const blocks = new BlockClient({
      env,
      locations: scm,
      datanode: datanodes.find,
      encoded: (onDegraded) => new EcReader({ datanode: datanodes.find, code, clock, onDegraded }),
      metrics: seat.metrics,
      ...(endpoints.rack === undefined ? {} : { rack: endpoints.rack }),
    })
    graph.value(BUS_OM, om).value(BUS_BLOCKS, blocks).value(BUS_SCM, scm)
    await startStore(graph, seat, {
      sealingKey: await readSealingKey(env, cluster),
      settings: config.store,
      replication: cluster.replication ?? 'RATIS/ONE',
    })
    const credentials = await credentialsOf(seat, config)
    await installAdministrator({ om, keyring: graph.get(BUS_KEYRING) }, credentials)
    await awaitWritable(seat, scm)
    const { native, admin } = endpoints
    const settings = { ...config, s3: { ...config.s3, ...endpoints.s3 }, native, admin }
    const problem = await watchReachability(seat, [
      { name: 'om', ask: async () => om.getVolume(s3Volume) },
      { name: 'scm', ask: () => scm.listNodes() },
    ])
    await writeEndpoints(env, directory, await startFrontEnds(graph, seat, { settings, problem }))
    return { methods: {}, problem }
  })
}

/** A gateway makes none: each of several would make its own. */
async function credentialsOf({ env, cluster }: Seat, { root }: GatewayRoleConfig): Promise<AdministratorCredentials> {
  const found = await findCredentials(env, cluster.home, root)
  if (found !== undefined) return found
  throw new StoreError(
    'InvalidArgument',
    `there are no credentials of the administrator in ${cluster.home}: \`o3 cluster start\` makes them, or set O3_ROOT_ACCESS_KEY and O3_ROOT_SECRET_KEY`,
  )
}

/** Datanodes come up beside us, and join into pipelines; who finds us listening expects to be able to write. */
const writableDeadlineMs = 15_000

/** While nothing can be written, names can be read all the same: then the gateway comes up, and says so. */
async function awaitWritable({ env, log, cluster }: Seat, scm: Scm): Promise<void> {
  const untilMs = env.clock.monotonicMs() + writableDeadlineMs
  for (;;) {
    const lacking = await whatIsLacking(scm, cluster.replication ?? 'RATIS/ONE')
    if (lacking === undefined) return
    if (env.clock.monotonicMs() > untilMs) {
      log.warn({ lacking }, 'nothing can be written yet; the gateway serves what can be read')
      return
    }
    await env.clock.sleep(50)
  }
}

async function whatIsLacking(scm: Scm, replication: ReplicationConfig): Promise<string | undefined> {
  const { on, reasons } = await scm.safemode()
  if (on) return reasons.join('; ')
  if (await hasPlaces(scm, replication)) return undefined
  return replication === 'RATIS/ONE' ? 'no datanode is alive' : 'no three datanodes have a pipeline'
}
