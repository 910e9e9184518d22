/** A closed loop: so many writers, each with one write under way. */

export type Write = () => Promise<void>

export interface Load {
  readonly writers: number
  readonly seconds: number
}

export interface Measured {
  readonly writes: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Runs the load against `write`; resolves when the last answer is there. */
export async function measure(write: Write, { writers, seconds }: Load): Promise<Measured> {
  const times: number[] = []
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  await Promise.all(
    Array.from({ length: writers }, async () => {
      for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
        await write()
        times.push(performance.now() - beganMs)
      }
    }),
  )
  const perSecond = times.length / ((performance.now() - startMs) / 1000)
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0
  return { writes: times.length, perSecond, p50Ms: at(0.5), p99Ms: at(0.99) }
}
