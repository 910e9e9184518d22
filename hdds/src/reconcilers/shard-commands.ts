import { carryOutEcCommand } from '../ec/ec-commands.ts'
import type { EcCommand, EcCommandTools } from '../ec/ec-commands.ts'
import type { TaskRegistry } from '../service/tasks.ts'
import type { Pace } from '../storage/pace.ts'

export interface ShardCommandsOptions extends Pick<EcCommandTools, 'datanode' | 'doors' | 'code' | 'clock'> {
  readonly tasks: TaskRegistry
  /** Shared with the copies: both are repair. */
  readonly pace: Pace
}

/** Carries out what SCM asks about erasure coding, as tasks. */
export class ShardCommands {
  private readonly options: ShardCommandsOptions

  constructor(options: ShardCommandsOptions) {
    this.options = options
  }

  take(command: EcCommand): void {
    const { tasks, pace, ...tools } = this.options
    tasks.begin(command.task, ({ signal, progress, encoded }) =>
      carryOutEcCommand(command, { ...tools, pace: (bytes) => pace.spend(bytes, signal), progress, signal, encoded }),
    )
  }
}
