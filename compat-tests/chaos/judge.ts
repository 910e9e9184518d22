/** Whether what the clients were told can be what one store did, one request after the other. */

import { checkLinearizable, conditionalKeyModel } from '@o3/ratis/testing'
import type { ConditionalKeyInput, ConditionalKeyOutput, Operation } from '@o3/ratis/testing'
import type { Ledger } from './ledger.ts'

export type KeyOperation = Operation<ConditionalKeyInput, ConditionalKeyOutput>

/** Each key on its own; those that cannot be explained are in the ledger. Resolves with the number of keys. */
export function judge(operations: readonly KeyOperation[], ledger: Ledger): number {
  const keys = Map.groupBy(operations, ({ key }) => key)
  for (const [key, ofKey] of keys) {
    const verdict = checkLinearizable(conditionalKeyModel, { operations: ofKey })
    if (verdict.kind === 'gave-up') ledger.find('wrong', `${key}: nothing is known after ${verdict.steps} steps`)
    if (verdict.kind !== 'violation') continue
    const { culprit } = verdict
    const isReadBack = culprit.client.startsWith('r') && culprit.input.kind === 'get'
    ledger.find(isReadBack ? 'lost' : 'wrong', `${key}: no order explains\n${verdict.report}`)
  }
  return keys.size
}

/**
 * Puts lies into a history that is true, and looks whether they are found: otherwise a verdict of the check is worth
 * nothing. Throws when a lie goes through, or when there is no key to lie about.
 */
export function proveJudge(operations: readonly KeyOperation[]): void {
  for (const [name, lie] of Object.entries(lies)) {
    let told = 0
    for (const ofKey of Map.groupBy(operations, ({ key }) => key).values()) {
      const doctored = lie(ofKey)
      if (doctored === undefined) continue
      const { kind } = checkLinearizable(conditionalKeyModel, { operations: doctored })
      if (kind !== 'violation')
        throw new Error(`${name}, put into the history of ${ofKey[0]?.key}, is not found: ${kind}`)
      if (++told === liesOfEach) break
    }
    if (told === 0) throw new Error(`${name}: no key has a history to put it into`)
  }
}

const liesOfEach = 20

const lies: Readonly<Record<string, (ofKey: readonly KeyOperation[]) => readonly KeyOperation[] | undefined>> = {
  'a lost write': (ofKey) => {
    const removals = ofKey.filter(({ input }) => input.kind === 'delete')
    const kept = ofKey.some((put) => isDone(put) && removals.every((removal) => endOf(removal) < put.call))
    return kept ? withLastRead(ofKey, null) : undefined
  },
  'a stale read': (ofKey) => {
    const done = ofKey.filter(isDone)
    const overwritten = done.find(
      (put) =>
        done.some(({ call }) => call > endOf(put)) &&
        ofKey.every((other) => other === put || etagOf(other) !== etagOf(put)),
    )
    return overwritten === undefined ? undefined : withLastRead(ofKey, etagOf(overwritten) ?? null)
  },
}

function isDone({ input, outcome }: KeyOperation): boolean {
  return input.kind === 'put' && outcome.kind === 'answered' && outcome.output === 'ok'
}

function etagOf({ input }: KeyOperation): string | undefined {
  return input.kind === 'put' ? input.etag : undefined
}

function endOf({ outcome }: KeyOperation): number {
  return outcome.kind === 'answered' ? outcome.at : Infinity
}

/** The read-back told another ETag. */
function withLastRead(ofKey: readonly KeyOperation[], etag: string | null): readonly KeyOperation[] | undefined {
  const last = ofKey.at(-1)
  if (last === undefined || last.input.kind !== 'get' || last.outcome.kind === 'open') return undefined
  return [...ofKey.slice(0, -1), { ...last, outcome: { ...last.outcome, output: { etag } } }]
}
