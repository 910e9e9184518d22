/** What a process has used so far, from the kernel. */

import { readFileSync } from 'node:fs'

export interface Usage {
  /** User and system time of all its threads. */
  readonly cpuMs: number
  readonly rssMB: number
}

/** Of USER_HZ, which is 100 on every Linux that Node runs on. */
const tickMs = 10

export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The command name may contain spaces; what follows its closing bracket does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [Number(fields[11]), Number(fields[12])]
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const rssKiB = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0)
  return { cpuMs: (user + system) * tickMs, rssMB: rssKiB / 1024 }
}
