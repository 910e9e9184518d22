/** The name of a process in its certificate: `o3://<cluster id>/<role>/<id>`. */

export interface ProcessName {
  readonly clusterId: string
  readonly role: string
  readonly id: string
}

const part = '[A-Za-z0-9][A-Za-z0-9.-]{0,127}'
const form = new RegExp(`^o3://(${part})/(${part})/(${part})$`)

export function formatProcessName({ clusterId, role, id }: ProcessName): string {
  return `o3://${clusterId}/${role}/${id}`
}

/** Undefined for anything else. */
export function parseProcessName(text: string): ProcessName | undefined {
  const [, clusterId, role, id] = form.exec(text) ?? []
  return clusterId === undefined || role === undefined || id === undefined ? undefined : { clusterId, role, id }
}
