/** A tree of files of mixed sizes and awkward names, the same at every run, and a byte-exact comparison of two trees. */

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export interface TreeOptions {
  readonly files: number
  readonly seed?: number
}

const KiB = 1024

/** Most files are small, some are not: the mix of a home directory. */
function sizeOf(index: number, fraction: number): number {
  const kind = index % 100
  if (kind === 0) return 0
  if (kind < 70) return Math.floor(fraction * 4 * KiB)
  if (kind < 95) return Math.floor(4 * KiB + fraction * 60 * KiB)
  if (kind < 99) return Math.floor(64 * KiB + fraction * 960 * KiB)
  return Math.floor(KiB * KiB + fraction * 4 * KiB * KiB)
}

const folders = ['', 'a/', 'a/b/', 'a/b/c/d/e/', 'with space/', 'grün/日本/', 'a+b&c=d/', "quote's/"]

/** Writes the tree; the same options write the same bytes. */
export function makeTree(root: string, { files, seed = 1 }: TreeOptions): void {
  let state = seed
  for (let index = 0; index < files; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const folder = folders[index % folders.length] ?? ''
    const path = join(root, `${folder}file-${String(index).padStart(5, '0')}.bin`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, patterned(sizeOf(index, state / 0x1_0000_0000), index))
  }
}

/** Bytes that differ from file to file and within each. */
export function patterned(size: number, seed: number): Buffer {
  const block = createHash('sha512').update(`o3 ${seed}`).digest()
  const bytes = Buffer.alloc(size, block)
  for (let at = 0; at + 4 <= size; at += 4096) bytes.writeUInt32LE((at ^ seed) >>> 0, at)
  return bytes
}

/** Relative path → size and SHA-256, sorted by path. */
export function digestTree(root: string): ReadonlyMap<string, string> {
  const digests: [string, string][] = []
  const walk = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) walk(path)
      else digests.push([relative(root, path), `${statSync(path).size} ${sha256(readFileSync(path))}`])
    }
  }
  walk(root)
  return new Map(digests.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Throws with the first differences. */
export function expectSameTree(actual: string, expected: string): void {
  const [got, wanted] = [digestTree(actual), digestTree(expected)]
  const differences = [
    ...[...wanted]
      .filter(([path, digest]) => got.get(path) !== digest)
      .map(([path]) => `${path} is missing or differs`),
    ...[...got.keys()].filter((path) => !wanted.has(path)).map((path) => `${path} should not be there`),
  ]
  if (differences.length > 0)
    throw new Error(`${differences.length} differences:\n${differences.slice(0, 10).join('\n')}`)
}
