import type {
  ContainerId,
  DatanodeCommand,
  DatanodeId,
  Heartbeat,
  RegisterRequest,
  ReplicaLocation,
  ScmDatanodeProtocol,
  ScmLocationProtocol,
} from '@o3/scm/api'

/** SCM as a datanode sees it: it notes what it is told, and answers with what a test has put up. */
export class ScriptedScm implements ScmDatanodeProtocol, ScmLocationProtocol {
  readonly registrations: RegisterRequest[] = []
  readonly heartbeats: Heartbeat[] = []
  /** Repeated with every answer, as SCM does until it sees them done. */
  commands: DatanodeCommand[] = []
  places: readonly DatanodeId[] = ['dn-1']
  /** Of datanodes in other processes. */
  readonly addresses = new Map<DatanodeId, string>()
  located: ContainerId[] = []

  register(request: RegisterRequest): Promise<{ readonly commands: readonly DatanodeCommand[] }> {
    this.registrations.push(request)
    return Promise.resolve({ commands: this.commands })
  }

  heartbeat(heartbeat: Heartbeat): Promise<{ readonly commands: readonly DatanodeCommand[] }> {
    this.heartbeats.push(heartbeat)
    return Promise.resolve({ commands: this.commands })
  }

  locate(container: ContainerId): Promise<readonly ReplicaLocation[]> {
    this.located.push(container)
    return Promise.resolve(this.places.map((datanode) => ({ datanode, address: this.addresses.get(datanode) })))
  }
}
