import type { Env } from '../env.ts'
import type { TaskFailureHandler } from '../shared/running-task.ts'
import { NodeClock } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeNetwork } from './node-network.ts'
import { NodeRandom } from './node-random.ts'
import { NodeTasks } from './node-tasks.ts'

export interface NodeEnvOptions {
  /** Where relative paths start. Default: the working directory. */
  readonly root?: string
  /** Told of each background task that failed. Default: the process stops. */
  readonly onTaskFailure?: TaskFailureHandler
  /** Called at each named site; crash tests kill the process in it. Default: sites do nothing. */
  readonly onSite?: (site: string) => void
}

/** The environment of production: the machine's clocks, randomness, file system and sockets. */
export function nodeEnv(options: NodeEnvOptions = {}): Env {
  return {
    clock: new NodeClock(),
    random: new NodeRandom(),
    tasks: new NodeTasks(options.onTaskFailure),
    disk: new NodeDisk(options.root ?? '.'),
    network: new NodeNetwork(),
    at: options.onSite ?? passBy,
  }
}

function passBy(): void {}
