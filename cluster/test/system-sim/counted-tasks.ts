import type { Env, Tasks } from '@o3/common/env'

/** An environment that knows which of its background activities still run. */
export function countingTasks(env: Env): { readonly env: Env; readonly running: ReadonlySet<string> } {
  const running = new Set<string>()
  let next = 0
  const tasks: Tasks = {
    spawn: (name, run) => {
      const key = `${name}#${next++}`
      running.add(key)
      return env.tasks.spawn(name, (signal) => run(signal).finally(() => running.delete(key)))
    },
    nextTurn: (action) => env.tasks.nextTurn(action),
  }
  const { clock, random, disk, network, at } = env
  return { env: { clock, random, disk, network, at, tasks }, running }
}
