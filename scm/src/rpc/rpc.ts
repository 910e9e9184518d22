/** SCM as a process of its own: its doors served, and the table that both ends share. */

export { scmMethods } from './methods.ts'
export type { ScmMethods } from './methods.ts'
export { serveScm } from './serve-scm.ts'
export type { ServedScm, ServeScmOptions } from './serve-scm.ts'
