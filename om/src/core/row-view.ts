import type { PlanView } from '@o3/ratis/api'

/** Rows by key, at once: a plan's view, a draft, or the rows that a store has in memory. */
export type RowView = Pick<PlanView, 'get'>
