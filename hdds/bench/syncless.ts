import type { Disk, DiskFile, Env } from '@o3/common/env'

/** The same environment with a disk that never syncs: for making what a benchmark begins with. */
export function syncless(env: Env): Env {
  const disk: Disk = without(env.disk, {
    open: async (path, mode) => without(await env.disk.open(path, mode), { sync: () => Promise.resolve() }),
    syncDirectory: () => Promise.resolve(),
  })
  return { ...env, disk }
}

/** `whole`, with some of its methods replaced. */
function without<T extends Disk | DiskFile>(whole: T, replaced: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      const found: unknown = Reflect.get(name in replaced ? replaced : target, name)
      return typeof found === 'function' ? (found.bind(target) as unknown) : found
    },
  })
}
