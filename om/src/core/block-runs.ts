import type { BlockRange } from '@o3/scm/api'
import type { Content } from '../api/api.ts'

/**
 * The blocks of a content, as few runs as there can be without a block that is not of it. Blocks of one lease follow one
 * another, so most keys are one run.
 */
export function blockRuns(content: Content): readonly BlockRange[] {
  if (content.kind === 'inline') return []
  const runs: { readonly container: number; readonly firstLocal: number; count: number }[] = []
  for (const segment of content.segments) {
    if (segment.kind === 'inline') continue
    const { container, local } = segment.block
    const last = runs.at(-1)
    const at = last === undefined ? -1 : local - last.firstLocal
    if (last === undefined || last.container !== container || at < 0 || at > last.count) {
      runs.push({ container, firstLocal: local, count: 1 })
    } else if (at === last.count) last.count++
  }
  return runs
}
