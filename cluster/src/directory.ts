/** What a data directory tells to the commands of its machine, without the services that run on it. */

export { readCredentials } from './administrator.ts'
export type { Credentials } from './administrator.ts'
export { readEndpoints } from './endpoints.ts'
export type { Endpoints } from './endpoints.ts'
