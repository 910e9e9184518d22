/** OM as rules over a replicated store. */

import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp, StoreRules } from '@o3/ratis/api'
import type { OmCommand, OmReply } from '../api/api.ts'
import { commands } from './commands/commands.ts'
import type { Handler } from './commands/handler.ts'
import { Draft } from './draft.ts'
import { isRefusal } from './refusal.ts'
import { decodeReply, encodeReply } from './reply.ts'
import { omTables } from './tables.ts'

/** Decides one command; each file of `commands/` says what it refuses. A refused command changes nothing. */
export function planOm(view: PlanView, command: OmCommand, stamp: Stamp): Decision<OmReply> | Refusal {
  const draft = new Draft(view, stamp)
  const outcome = (commands[command.kind] as Handler<OmCommand['kind']>)(draft, command)
  return isRefusal(outcome) ? outcome : draft.decide(outcome)
}

/** A full disk must not keep people from making room. Each of these writes a few bytes and gives up more. */
const freeing: ReadonlySet<OmCommand['kind']> = new Set<OmCommand['kind']>([
  'delete-volume',
  'delete-bucket',
  'delete-key',
  'delete-keys',
  'abort-upload',
  'delete-user',
  'delete-access-key',
  'end-lease',
  'purge-deleted-blocks',
])

export const omRules: StoreRules<OmCommand, OmReply> = {
  name: 'om',
  tables: omTables,
  plan: planOm,
  freesSpace: (command) => freeing.has(command.kind),
  encodeReply,
  decodeReply,
}
