/**
 * What is measured lives in a process of its own, so that its CPU can be told from everybody else's and one member can be
 * profiled alone. The benchmark talks to it over the channel of `fork`: one question at a time.
 */

import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import type { Counts } from './counting-env.ts'
import { measure, type Load, type Measured, type Write } from './load.ts'

export interface Subject {
  readonly write: Write
  readonly counts: () => Counts
  readonly close: () => Promise<void>
}

/** Of a process since it began. */
export interface Usage {
  readonly cpuUs: number
  readonly rssBytes: number
  readonly counts: Counts
}

export type Question =
  | ({ readonly kind: 'measure' } & Load)
  | { readonly kind: 'usage' }
  /** One write. A member that does not lead answers when it does, which may be never. */
  | { readonly kind: 'write'; readonly id: number }
  /** From now to its end; written to `path` then. */
  | { readonly kind: 'profile'; readonly path: string }

export type Answer =
  | { readonly kind: 'open' }
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'written'; readonly id: number }
  | { readonly kind: 'usage'; readonly usage: Usage }

/** Serves the parent process until it lets go; `open` gets what the parent gave as its arguments. */
export async function serveSubject<Given>(open: (given: Given) => Promise<Subject>): Promise<void> {
  const subject = await open(JSON.parse(process.argv[2] ?? '') as Given)
  let saveProfile: () => Promise<void> = () => Promise.resolve()
  const answer = (told: Answer): void => void process.send?.(told)
  process.on('message', (question: Question) => {
    switch (question.kind) {
      case 'usage':
        return answer({ kind: 'usage', usage: usageOf(subject) })
      case 'measure':
        return void measure(subject.write, question).then((measured) => answer({ kind: 'measured', measured }))
      case 'write':
        return void subject.write().then(() => answer({ kind: 'written', id: question.id }))
      case 'profile':
        return void profileTo(question.path).then((save) => {
          saveProfile = save
          answer({ kind: 'open' })
        })
    }
  })
  process.once('disconnect', () => void saveProfile().then(() => subject.close()))
  answer({ kind: 'open' })
}

async function profileTo(path: string): Promise<() => Promise<void>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 500 })
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    await writeFile(path, JSON.stringify(profile))
  }
}

function usageOf({ counts }: Subject): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuUs: user + system, rssBytes: process.memoryUsage().rss, counts: counts() }
}
