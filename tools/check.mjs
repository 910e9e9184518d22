// `npm run check [name…]`: the static checks, side by side. A check that passes says one line; one that fails says all.

import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'

// By path: both TypeScripts bring a `tsc`. The native one checks; the other one is the JavaScript API for tools.
const TSC = 'node_modules/typescript-native/bin/tsc'

const CHECKS = {
  types: [TSC, '-p', 'tsconfig.json'],
  pure: [TSC, '-p', 'tsconfig.pure.json'],
  lint: ['node_modules/oxlint/bin/oxlint', '--type-aware'],
  format: ['node_modules/oxfmt/bin/oxfmt', '--list-different'],
  boundaries: ['tools/boundaries.mjs'],
}

/** @returns {Promise<{ name: string, code: number, seconds: string, output: string }>} */
function run(name) {
  const args = CHECKS[name]
  const start = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code, signal) =>
      resolve({
        name,
        code: code ?? 1,
        seconds: ((performance.now() - start) / 1000).toFixed(1),
        output: output + (signal ?? ''),
      }),
    )
  })
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in CHECKS))
if (unknown.length > 0) {
  process.stderr.write(`no such check: ${unknown.join(', ')}; there are ${Object.keys(CHECKS).join(', ')}\n`)
  process.exit(2)
}

const results = await Promise.all((asked.length > 0 ? asked : Object.keys(CHECKS)).map(run))
for (const { name, code, seconds, output } of results) {
  // Asked for by name, a check also shows its warnings.
  if (code !== 0 || asked.length > 0) process.stdout.write(output)
  const lamps = /(\d+) warnings?/.exec(output)?.[1] ?? '0'
  const fix = name === 'format' && code !== 0 ? '; `npm run format` writes it' : ''
  process.stdout.write(
    `${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s${lamps === '0' ? '' : `, ${lamps} warnings`})${fix}\n`,
  )
}
process.exitCode = results.some(({ code }) => code !== 0) ? 1 : 0
