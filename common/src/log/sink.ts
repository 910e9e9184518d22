import { destination as openDestination } from 'pino'

/** A function is called with each finished line, newline included, synchronously. */
export type LogDestination = 'stdout' | 'stderr' | { readonly path: string } | ((line: string) => void)

export interface Sink {
  readonly write: (line: string) => void
  readonly flush: () => Promise<void>
}

// A line costs 4 µs, a write system call more: lines gather until there are this many bytes, or for this long.
const batchBytes = 4096
const batchMs = 100
/** What waits for a destination that takes nothing (a stopped terminal, a full disk); lines beyond it are dropped. */
const maxWaitingBytes = 8 * 1024 * 1024

/**
 * Opens a batching destination. It never throws and never stops the process: a store must go on serving when its log
 * cannot be written. What went wrong is said on stderr, once per kind of failure.
 */
export function openSink(target: LogDestination): Sink {
  if (typeof target === 'function') return { write: target, flush: () => Promise.resolve() }
  const stream = openDestination({
    dest: target === 'stdout' ? 1 : target === 'stderr' ? 2 : target.path,
    sync: false,
    mkdir: true,
    minLength: batchBytes,
    maxLength: maxWaitingBytes,
    periodicFlush: batchMs,
  })
  const complain = complainOnce()
  stream.on('error', (error: NodeJS.ErrnoException) => complain(error.code ?? error.message))
  stream.on('drop', () => complain('lines dropped, too many are waiting'))
  // The callback's error is either in the `error` event as well, or says that a pipe or terminal cannot be synced.
  const flushOnce = () => new Promise<void>((resolve) => stream.flush(() => resolve()))
  return {
    write: (line) => stream.write(line),
    // A flush that finds a write under way ends with that write; the lines that gathered meanwhile need a second one.
    flush: async () => {
      await flushOnce()
      await flushOnce()
    },
  }
}

function complainOnce(): (reason: string) => void {
  const said = new Set<string>()
  return (reason) => {
    if (said.has(reason)) return
    said.add(reason)
    process.stderr.write(`the log cannot be written: ${reason}\n`)
  }
}
