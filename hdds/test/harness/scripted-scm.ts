import type {
  ContainerId,
  DatanodeAnswer,
  DatanodeCommand,
  DatanodeId,
  Heartbeat,
  RegisterRequest,
  ContainerPlace,
  ScmDatanodeProtocol,
  ScmLocationProtocol,
  ScmSecretKeyProtocol,
  SecretKeys,
} from '@o3/scm/api'

/** Of every SCM in these tests. */
export const testKeys: SecretKeys = {
  keys: [{ id: 1, secret: new Uint8Array(32).fill(1), activeFromMs: 0, expiresMs: Number.MAX_SAFE_INTEGER }],
  refreshMs: 3_600_000,
}

/** SCM as a datanode sees it: it notes what it is told, and answers with what a test has put up. */
export class ScriptedScm implements ScmDatanodeProtocol, ScmLocationProtocol, ScmSecretKeyProtocol {
  readonly registrations: RegisterRequest[] = []
  readonly heartbeats: Heartbeat[] = []
  /** Repeated with every answer, as SCM does until it sees them done. */
  commands: DatanodeCommand[] = []
  /** In which it leads. */
  term: number | undefined = 1
  /** Gives its answers late, never, or as an error. */
  delay: (() => Promise<void>) | undefined
  places: readonly DatanodeId[] = ['dn-1']
  /** Of datanodes in other processes. */
  readonly addresses = new Map<DatanodeId, string>()
  located: ContainerId[] = []

  register(request: RegisterRequest): Promise<DatanodeAnswer> {
    this.registrations.push(request)
    // It is what it asked for.
    this.commands = this.commands.filter(({ kind }) => kind !== 'register')
    return this.answer()
  }

  heartbeat(heartbeat: Heartbeat): Promise<DatanodeAnswer> {
    this.heartbeats.push(heartbeat)
    return this.answer()
  }

  secretKeys(): Promise<SecretKeys> {
    return Promise.resolve(testKeys)
  }

  private async answer(): Promise<DatanodeAnswer> {
    const { term, commands } = this
    await this.delay?.()
    return { term, commands }
  }

  locate(container: ContainerId): Promise<ContainerPlace> {
    this.located.push(container)
    const replicas = this.places.map((datanode) => ({ datanode, address: this.addresses.get(datanode) }))
    return Promise.resolve({
      container,
      state: 'OPEN',
      replication: 'RATIS/ONE',
      pipeline: undefined,
      replicas,
      ec: undefined,
    })
  }
}
