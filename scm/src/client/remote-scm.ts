import { askerOf } from '@o3/common/rpc'
import type { Ask, GroupClient } from '@o3/common/rpc'
import type {
  BalancerStatus,
  BlockRange,
  ContainerDetails,
  ContainerId,
  ContainerInfo,
  DatanodeAnswer,
  DatanodeInfo,
  DeletedBlocksSummary,
  Heartbeat,
  OperationalRequest,
  PipelineId,
  PipelineInfo,
  RegisterRequest,
  ReplicationReport,
  ContainerPlace,
  SafemodeStatus,
  Scm,
  ScmSummary,
  SecretKeys,
} from '../api/api.ts'
import { scmMethods } from '../rpc/methods.ts'
import type { ScmMethods } from '../rpc/methods.ts'

type Options = { readonly requestId?: string }

/** So many ranges, at most 24 bytes each, fit in a payload. */
const maxRangesPerCall = 100_000

/**
 * SCM in other processes, with every promise of its doors: whichever member leads answers. Datanodes talk to each member
 * instead: for them there is one of these over each group of one. What changes something is
 * idempotent or carries a request id, so a repetition after a lost answer is not done twice. Beside SCM's own errors there
 * are those of `GroupClient.call`.
 */
export class RemoteScm implements Scm {
  private readonly group: GroupClient
  private readonly ask: Ask<ScmMethods>

  /** The group belongs to the caller, who closes it. */
  constructor(group: GroupClient) {
    this.group = group
    this.ask = askerOf(group, scmMethods)
  }

  async register(request: RegisterRequest): Promise<DatanodeAnswer> {
    const { term, commands } = await this.ask('scm.register.1', request)
    return { term, commands: commands.items }
  }

  async heartbeat(heartbeat: Heartbeat): Promise<DatanodeAnswer> {
    const { term, commands } = await this.ask('scm.heartbeat.1', heartbeat)
    return { term, commands: commands.items }
  }

  allocateBlocks(request: Parameters<Scm['allocateBlocks']>[0], options?: Options): Promise<readonly BlockRange[]> {
    return this.ask('scm.allocateBlocks.1', { ...request, requestId: this.idOf(options) })
  }

  /** In several calls when there are very many: a failure leaves some taken over, as the repetition will find. */
  async deleteBlocks(blocks: readonly BlockRange[], options?: Options): Promise<void> {
    if (blocks.length <= maxRangesPerCall) {
      return this.ask('scm.deleteBlocks.1', { blocks, requestId: this.idOf(options) })
    }
    for (let at = 0; at < blocks.length; at += maxRangesPerCall) {
      const some = blocks.slice(at, at + maxRangesPerCall)
      await this.ask('scm.deleteBlocks.1', { blocks: some, requestId: this.group.newRequestId() })
    }
  }

  locate(container: ContainerId): Promise<ContainerPlace> {
    return this.ask('scm.locate.1', container)
  }

  async listNodes(): Promise<readonly DatanodeInfo[]> {
    const found: DatanodeInfo[] = []
    for (;;) {
      const after = found.at(-1)?.id
      const page = await this.ask('scm.listNodes.1', after === undefined ? {} : { after })
      found.push(...page.items)
      if (!page.truncated) return found
    }
  }

  async listContainers({ after, limit }: Parameters<Scm['listContainers']>[0]): Promise<readonly ContainerInfo[]> {
    const found: ContainerInfo[] = []
    for (;;) {
      const from = found.at(-1)?.id ?? after
      const left = { limit: limit - found.length, ...(from === undefined ? {} : { after: from }) }
      const page = await this.ask('scm.listContainers.1', left)
      found.push(...page.items)
      if (!page.truncated) return found
    }
  }

  closeContainer(container: ContainerId, options?: Options): Promise<void> {
    return this.ask('scm.closeContainer.1', { container, requestId: this.idOf(options) })
  }

  secretKeys(): Promise<SecretKeys> {
    return this.ask('scm.secretKeys.1', undefined)
  }

  rotateSecretKey(options?: Options): Promise<number> {
    return this.ask('scm.rotateSecretKey.1', { requestId: this.idOf(options) })
  }

  summary(): Promise<ScmSummary> {
    return this.ask('scm.summary.1', undefined)
  }

  async listPipelines(): Promise<readonly PipelineInfo[]> {
    const found: PipelineInfo[] = []
    for (;;) {
      const after = found.at(-1)?.id
      const page = await this.ask('scm.listPipelines.1', after === undefined ? {} : { after })
      found.push(...page.items)
      if (!page.truncated) return found
    }
  }

  closePipeline(pipeline: PipelineId, options?: Options): Promise<void> {
    return this.ask('scm.closePipeline.1', { pipeline, requestId: this.idOf(options) })
  }

  containerInfo(container: ContainerId): Promise<ContainerDetails> {
    return this.ask('scm.containerInfo.1', container)
  }

  setOperational(request: OperationalRequest, options?: Options): Promise<void> {
    return this.ask('scm.setOperational.1', { ...request, requestId: this.idOf(options) })
  }

  safemode(): Promise<SafemodeStatus> {
    return this.ask('scm.safemode.1', undefined)
  }

  exitSafemode(): Promise<void> {
    return this.ask('scm.exitSafemode.1', undefined)
  }

  replicationReport(): Promise<ReplicationReport> {
    return this.ask('scm.replicationReport.1', undefined)
  }

  balancer(): Promise<BalancerStatus> {
    return this.ask('scm.balancer.1', undefined)
  }

  setBalancer(to: 'on' | 'off'): Promise<void> {
    return this.ask('scm.setBalancer.1', to)
  }

  deletedBlocks(): Promise<DeletedBlocksSummary> {
    return this.ask('scm.deletedBlocks.1', undefined)
  }

  private idOf(options: Options | undefined): string {
    return options?.requestId ?? this.group.newRequestId()
  }
}
