import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { counters, secretKeys } from '../tables.ts'

/**
 * The id is part of what was sealed, so it comes with the command: `ConcurrentChange` when another key has taken it. A key
 * that has not expired is not dropped, whoever asks.
 */
export function addSecretKey(
  view: PlanView,
  { id, key, drop }: Extract<ScmCommand, { kind: 'add-secret-key' }>,
  stamp: Stamp,
): Decision<ScmReply> | Refusal {
  const next = (view.get(counters, 'secret-key') ?? 0) + 1
  if (id !== next) return refuse('ConcurrentChange', `the next secret key is ${next}, not ${id}`)
  const dropped = drop.filter((old) => (view.get(secretKeys, old)?.expiresMs ?? Infinity) <= stamp.wallMs)
  return {
    kind: 'decision',
    reply: { kind: 'done' },
    changes: [
      { table: counters, key: 'secret-key', value: id },
      { table: secretKeys, key: id, value: key },
      ...dropped.map((old) => ({ table: secretKeys, key: old, value: undefined })),
    ],
  }
}
