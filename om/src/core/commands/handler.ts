import type { Refusal } from '@o3/common/errors'
import type { OmCommand, OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'

export type CommandOf<Kind extends OmCommand['kind']> = Extract<OmCommand, { readonly kind: Kind }>

/** Decides one kind of command: writes what changes into the draft and answers, or refuses, and the draft is dropped. */
export type Handler<Kind extends OmCommand['kind']> = (draft: Draft, command: CommandOf<Kind>) => OmReply | Refusal

export const done: OmReply = { kind: 'done' }
