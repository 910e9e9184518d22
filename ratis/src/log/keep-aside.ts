import type { Env } from '@o3/common/env'

/** So many broken files are kept, the newest. */
const keptFiles = 4

const asideName = /\.(\d+)\.damaged$/

/** Whether this is the name of a file that was kept aside: a log was here. */
export function isKeptAside(name: string): boolean {
  return asideName.test(name)
}

/**
 * Takes broken files out of the log's way and keeps them for a person: renamed to `….n.damaged`, with the number of the
 * act. The oldest go when there are too many. Durable after the caller's sync of the directory.
 */
export async function keepAside(env: Env, directory: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  const { disk } = env
  const kept = (await disk.list(directory)).filter(isKeptAside).map((name) => ({ name, act: actOf(name) }))
  const act = Math.max(0, ...kept.map((file) => file.act)) + 1
  for (const path of paths) {
    const name = `${path.slice(directory.length + 1)}.${act}.damaged`
    env.at('log.repair.before-aside')
    await disk.rename(path, `${directory}/${name}`)
    kept.push({ name, act })
  }
  kept.sort((a, b) => b.act - a.act)
  for (const { name } of kept.slice(keptFiles)) await disk.remove(`${directory}/${name}`)
}

function actOf(name: string): number {
  return Number(asideName.exec(name)?.[1] ?? 0)
}
