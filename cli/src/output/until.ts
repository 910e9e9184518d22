import { nodeEnv } from '@o3/common/env/node'
import type { Output } from './output.ts'

const pollMs = 500
const remarkEveryMs = 2_000

/** Looks at it again and again, and says how it is, until it is so. */
export async function until<T>(
  look: () => Promise<T>,
  isSo: (seen: T) => boolean,
  tell: (seen: T) => string | undefined,
  out: Output,
): Promise<T> {
  const { clock } = nodeEnv()
  let told = ''
  for (let saidMs = -Infinity; ;) {
    const seen = await look()
    if (isSo(seen)) return seen
    const text = tell(seen) ?? ''
    if (text !== '' && text !== told && clock.monotonicMs() - saidMs > remarkEveryMs) {
      out.remark(text)
      told = text
      saidMs = clock.monotonicMs()
    }
    await clock.sleep(pollMs)
  }
}
