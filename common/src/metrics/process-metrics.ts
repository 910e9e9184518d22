import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

const nanosecond = 1e-9
const resolutionMs = 10

/**
 * Adds what every process shows: memory, CPU, how long the event loop is held up, open files. The returned function
 * ends the sampling.
 */
export function addProcessMetrics(metrics: Metrics): () => void {
  addMemory(metrics)
  metrics.sampled({
    name: 'o3_process_cpu_seconds_total',
    help: 'CPU time of the process, user and system, all threads.',
    kind: 'counter',
    read: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) * 1e-6
    },
  })
  metrics.sampled({
    name: 'o3_process_uptime_seconds',
    help: 'Time since the process started.',
    kind: 'gauge',
    read: () => process.uptime(),
  })
  metrics.sampled({
    name: 'o3_process_open_fds',
    help: 'Open file descriptors; -1 where the system does not tell.',
    kind: 'gauge',
    read: openFileDescriptors,
  })
  return addEventLoopDelay(metrics)
}

function addMemory(metrics: Metrics): void {
  const memory = (name: string, help: string, read: () => number) =>
    metrics.sampled({ name: `o3_process_${name}_bytes`, help, kind: 'gauge', read })
  memory('resident_memory', 'Resident set size.', () => process.memoryUsage.rss())
  memory('heap_used', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed)
  memory('external_memory', 'Memory of buffers outside the JavaScript heap.', () => process.memoryUsage().external)
}

function addEventLoopDelay(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  // The histogram measures the whole interval of its timer, which is not a delay.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds * nanosecond - resolutionMs / 1000)
  const takeMax = () => {
    const { max } = delay
    delay.reset() // the last of the three reads: each scrape shows the time since the one before
    return max
  }
  const reads = [
    ['0.5', () => delay.percentile(50)],
    ['0.99', () => delay.percentile(99)],
    ['1', takeMax],
  ] as const
  for (const [quantile, read] of reads) {
    metrics.sampled({
      name: 'o3_process_event_loop_delay_seconds',
      help: 'How late timers fire, since the last scrape.',
      kind: 'gauge',
      labels: { quantile },
      read: () => seconds(read()),
    })
  }
  return () => void delay.disable()
}

function openFileDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return -1 // no /proc: macOS
  }
}
