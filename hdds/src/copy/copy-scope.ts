import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ContainerId } from '@o3/scm/api'
import type { ReplicaSource, ScrubFinding } from '../api/api.ts'
import type { Container } from '../storage/container.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { Pace } from '../storage/pace.ts'

/** Where copies are put, and what is there: a datanode, as far as they need it. */
export interface CopyHome {
  readonly dataDisks: readonly DataDisk[]
  /** Undefined when it is not here, or its file is missing. */
  containerHere(id: ContainerId): Container | undefined
  /** A disk that takes new containers. `OutOfSpace`, `VolumeFailed`. */
  diskForCopy(): DataDisk
  /** It is here from now on, for everybody. */
  admit(container: Container): void
  /** Something that a person must judge; no container is called unhealthy for it. */
  noteFinding(finding: ScrubFinding): void
}

/** What all copies of a datanode share. */
export interface CopyScope {
  readonly env: Env
  readonly log: Logger
  readonly home: CopyHome
  /** Of all of them together. */
  readonly pace: Pace
  readonly silenceMs: number
}

/** One of them. */
export interface CopyTask {
  readonly container: ContainerId
  readonly sources: readonly ReplicaSource[]
  readonly signal: AbortSignal
  /** So much of so much is here. */
  readonly progress: (doneBytes: number, totalBytes: number) => void
}

/** What a `ReplicaSync` is told in any case. */
export function syncParts({ env, log, home, pace, silenceMs }: CopyScope, { container, sources, signal }: CopyTask) {
  const report = (finding: ScrubFinding): void => home.noteFinding(finding)
  return { clock: env.clock, log, pace, silenceMs, report, container, sources, signal }
}
