import { nullLogger } from '@o3/common/logger'
import { expect, test } from 'vitest'
import { Scrubbing } from '../../src/reconcilers/scrubbing.ts'
import { smallConfig } from '../harness/machine.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const day = 24 * 3_600_000

test.each([
  [7 * day, 60_000],
  [60_000, 15_000],
])(
  'a disk without work is looked at again in time: with a deadline of %i ms after %i ms',
  async (deadlineMs, afterMs) => {
    await withDatanode(async ({ machine, datanode }) => {
      const [disk] = datanode.dataDisks
      if (disk === undefined) throw new Error('there is a disk')
      const config = { ...smallConfig, scrubDeadlineMs: deadlineMs }
      const scrubbing = new Scrubbing({ disk, clock: machine.env.clock, log: nullLogger, config })
      await scrubbing.run(new AbortController().signal)
      expect(scrubbing.pauseMs()).toBe(afterMs)
    })
  },
)
