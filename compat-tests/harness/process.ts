/** What Linux tells of a running process. */

import { readFileSync } from 'node:fs'

/** The most memory that it ever held, in MB of 10^6 bytes. */
export function peakRssMb(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round((Number(match?.[1]) * 1024) / 1e6)
}
