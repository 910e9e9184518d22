/** When a process that died is started again. */

export const shortestPauseMs = 200
export const longestPauseMs = 5_000
/** One that has served so long did not die of its start. */
export const steadyAfterMs = 10_000

export interface Death {
  /** How long it had served; undefined when it never did. */
  readonly servedMs: number | undefined
  /** Deaths before this one since it last served steadily. */
  readonly deaths: number
}

export interface Restart {
  readonly pauseMs: number
  /** For the next death. */
  readonly deaths: number
}

/** Soon after a first death; later and later when it keeps dying, for it may be what the machine suffers from. */
export function restartAfter({ servedMs, deaths }: Death): Restart {
  const before = servedMs !== undefined && servedMs >= steadyAfterMs ? 0 : deaths
  return { pauseMs: Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.min(before, 10)), deaths: before + 1 }
}
