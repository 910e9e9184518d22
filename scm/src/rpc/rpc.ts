/** SCM as a process of its own: its doors served, and the table that both ends share. */

export { scmMethods } from './methods.ts'
export type { ScmMethods } from './methods.ts'
export { serveScm } from './serve-scm.ts'
export type { ServeScmOptions, ServedScm } from './serve-scm.ts'
