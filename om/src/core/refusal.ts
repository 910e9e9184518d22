import type { Refusal } from '@o3/common/errors'

/** Whether a pure function said no. A binary key is a string and never a refusal. */
export function isRefusal<T>(outcome: T | Refusal): outcome is Refusal {
  return typeof outcome === 'object' && outcome !== null && (outcome as { readonly kind?: unknown }).kind === 'refusal'
}
