import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { builtinModules } from 'node:module'
import { describe, expect, test } from 'vitest'
import { GENERATED } from '../docs/generated.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Manifest {
  readonly name: string
  readonly workspaces?: readonly string[]
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const manifestOf = (folder: string): Manifest => JSON.parse(read(join(folder, 'package.json'))) as Manifest
const glob = (pattern: string): string[] =>
  globSync(pattern, { cwd: ROOT, exclude: (name) => name === 'node_modules' }).toSorted()

const root = manifestOf('.')
const packages = (root.workspaces ?? []).map((folder) => ({ folder, manifest: manifestOf(folder) }))
/** Of the tree as it is, and not ignored: what a commit of everything would hold. */
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  .toString()
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)))
const sources = tracked.filter((path) => /\.(ts|mjs|cjs)$/.test(path))

/** The packages that a source names, static, dynamic or re-exported; comments and strings in code rarely look like one. */
function importedPackages(source: string): string[] {
  const specifiers = [...source.matchAll(/^\s*(?:import|export)\b[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]/gm)]
    .concat([...source.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm)])
    .concat([...source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)])
    .map((match) => match[1]!)
  return specifiers
    .filter((specifier) => !/^[./#]|^node:/.test(specifier) && !builtinModules.includes(specifier))
    .map((specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'))
}

describe.each(packages)('$folder', ({ folder, manifest }) => {
  test('declares every package that it imports', () => {
    const own = new Set([manifest.name, ...Object.keys(manifest.dependencies ?? {})])
    const forTests = new Set([
      ...own,
      ...Object.keys(manifest.devDependencies ?? {}),
      ...Object.keys(root.devDependencies ?? {}),
    ])
    const undeclared = sources
      .filter((path) => path.startsWith(`${folder}/`))
      .flatMap((path) => {
        const product = /\/src\//.test(path) && !/testing|contracts?\.ts$|\.bench\.ts$/.test(path)
        return importedPackages(read(path))
          .filter((name) => !(product ? own : forTests).has(name))
          .map((name) => `${path}: ${name}`)
      })
    expect(undeclared).toEqual([])
  })

  test('has a README', () => {
    expect(existsSync(join(ROOT, folder, 'README.md'))).toBe(true)
  })

  test('has tests, once it does more than state a contract', () => {
    const code = glob(`${folder}/src/**/*.ts`).filter((path) => !path.startsWith(`${folder}/src/api/`))
    if (code.length < 20) return
    expect(glob(`${folder}/test/**/*.test.ts`)).not.toEqual([])
  })

  test('depends on siblings by the one version', () => {
    for (const [name, version] of Object.entries(manifest.dependencies ?? {})) {
      expect(version, `${name} is pinned exactly`).toMatch(/^\d+\.\d+\.\d+$/)
    }
  })
})

describe('names', () => {
  test('no drawer for odds and ends', () => {
    const banned = /^(utils?|helpers?|misc|manager)(\.|$)/
    const offending = sources.filter((path) => path.split('/').some((part) => banned.test(part)))
    expect(offending).toEqual([])
  })

  test('files are kebab-case', () => {
    const offending = sources.filter((path) => !/^\.?[a-z0-9]+([.-][a-z0-9]+)*$/.test(basename(path)))
    expect(offending).toEqual([])
  })

  test('no Impl, no I-prefixed interface', () => {
    const offending = sources.filter((path) =>
      /\b(?:class|interface|type)\s+(?:\w+Impl|I[A-Z][a-z]\w*)\b/.test(read(path)),
    )
    expect(offending).toEqual([])
  })
})

describe('sources', () => {
  test('carry no marker of unfinished work', () => {
    const marker = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)
    expect(sources.filter((path) => marker.test(read(path)))).toEqual([])
  })

  test('read no clock in pure folders', () => {
    const pure = /^[^/]+\/src\/(api|core)\/|^plugins\/[^/]+\/src\/core\/|^common\/src\/(errors\.ts|codec\/|kv\/kv\.ts)/
    const offending = sources.filter(
      (path) => pure.test(path) && /\bnew Date\(\s*\)|\bDate\.now\b|\bMath\.random\b/.test(read(path)),
    )
    expect(offending).toEqual([])
  })

  test('no file is over 1 MiB', () => {
    expect(tracked.filter((path) => statSync(join(ROOT, path)).size > 1 << 20)).toEqual([])
  })
})

test('the lockfile names no registry host', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved": "https?:\/\/(?!registry\.npmjs\.org\/)/)
})

test.each(GENERATED.map((page) => [page.path, page] as const))('%s is fresh (npm run docs)', async (path, page) => {
  expect(read(path)).toBe(await page.render())
})
