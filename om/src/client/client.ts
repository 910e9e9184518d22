/** OM as others call it. In one process that is `OmService` itself. */
export type { OmClient } from '../api/api.ts'
