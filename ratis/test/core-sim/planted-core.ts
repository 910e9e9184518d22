import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { RaftCore } from '../../src/core/raft-core.ts'
import type { CoreFactory } from '../../src/testing/core-sim/core-sim.ts'

/** A change to the core's own source. */
export interface SourceEdit {
  /** In `src/core`. */
  readonly file: string
  /** Occurs there exactly once: a bug that can no longer be planted is found out. */
  readonly find: string
  readonly replace: string
}

const coreFolder = fileURLToPath(new URL('../../src/core/', import.meta.url))
const { resolve } = createRequire(import.meta.url)

/** The core with the edits, compiled as it is from a copy. */
export async function plantedCore(edits: readonly SourceEdit[]): Promise<CoreFactory> {
  const folder = mkdtempSync(join(tmpdir(), 'planted-core-'))
  try {
    for (const file of readdirSync(coreFolder)) {
      if (file.endsWith('.ts')) writeFileSync(join(folder, file), planted(file, edits))
    }
    const module = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'raft-core.ts')).href)) as {
      readonly RaftCore: typeof RaftCore
    }
    return (options, start) => new module.RaftCore(options, start)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function planted(file: string, edits: readonly SourceEdit[]): string {
  let text = readFileSync(join(coreFolder, file), 'utf8')
  for (const edit of edits) {
    if (edit.file !== file) continue
    const pieces = text.split(edit.find)
    if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} times: ${edit.find}`)
    text = pieces.join(edit.replace)
  }
  return text.replaceAll(/from '(@o3\/[^']+)'/g, (_all, name: string) => `from '${pathToFileURL(resolve(name)).href}'`)
}
