import type { ContainerId } from '@o3/scm/api'

/** Which container a file holds, and which rewriting of it: each compaction makes the next generation. */
export interface ContainerFileName {
  readonly container: ContainerId
  readonly generation: number
}

/** `17.1.cnt`. */
export function formatContainerName(name: ContainerFileName): string {
  return `${name.container}.${name.generation}.cnt`
}

/** A file that is still being written: it becomes a container file by its renaming, and without that is rubbish. */
export function formatUnfinishedName(name: ContainerFileName): string {
  return `${name.container}.${name.generation}.unfinished`
}

export function isUnfinishedName(name: string): boolean {
  return /^[1-9]\d*\.[1-9]\d*\.unfinished$/.test(name)
}

/** A replica that is being copied from others; it outlives a crash, so that the copy goes on where it was. */
export function formatCopyName(name: ContainerFileName): string {
  return `${name.container}.${name.generation}.copy`
}

/** Undefined when it is none. */
export function parseCopyName(name: string): ContainerFileName | undefined {
  return name.endsWith('.copy') ? parseContainerName(`${name.slice(0, -'.copy'.length)}.cnt`) : undefined
}

/** A damaged replica that was deleted, and when. */
export interface QuarantinedName extends ContainerFileName {
  readonly sinceMs: number
}

/** `17.1.1790000000000.cnt`. */
export function formatQuarantinedName({ container, generation, sinceMs }: QuarantinedName): string {
  return `${container}.${generation}.${sinceMs}.cnt`
}

/** Undefined when the name is not one of ours. */
export function parseQuarantinedName(name: string): QuarantinedName | undefined {
  const match = /^(\d+\.\d+)\.(\d{1,15})\.cnt$/.exec(name)
  const of = match === null ? undefined : parseContainerName(`${match[1]}.cnt`)
  return of === undefined ? undefined : { ...of, sinceMs: Number(match?.[2]) }
}

/** Undefined when the name is not one of ours. */
export function parseContainerName(name: string): ContainerFileName | undefined {
  const match = /^([1-9]\d*)\.([1-9]\d*)\.cnt$/.exec(name)
  if (match === null) return undefined
  const container = Number(match[1])
  const generation = Number(match[2])
  return Number.isSafeInteger(container) && generation < 0x1_0000_0000 ? { container, generation } : undefined
}

/** The names in a containers directory: of each container the highest generation counts, it was complete when named. */
export function newestGenerations(fileNames: readonly string[]): {
  readonly newest: readonly ContainerFileName[]
  readonly older: readonly ContainerFileName[]
  /** Not container files; among them the unfinished ones. */
  readonly unknown: readonly string[]
} {
  const newest = new Map<ContainerId, ContainerFileName>()
  const older: ContainerFileName[] = []
  const unknown: string[] = []
  for (const fileName of fileNames) {
    const name = parseContainerName(fileName)
    if (name === undefined) {
      unknown.push(fileName)
      continue
    }
    const known = newest.get(name.container)
    if (known === undefined || known.generation < name.generation) newest.set(name.container, name)
    if (known !== undefined) older.push(known.generation < name.generation ? known : name)
  }
  return { newest: [...newest.values()], older, unknown }
}
