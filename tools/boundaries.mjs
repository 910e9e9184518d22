// Runs dependency-cruiser over the product and holds it to account: a cruise that did not see every source file
// (a parser that is missing makes it see none, and pass) is a failure.

import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cruise } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'

const SOURCES = [
  '*/src/**/*.ts',
  '*/test/**/*.ts',
  'plugins/*/src/**/*.ts',
  'plugins/*/test/**/*.ts',
  'compat-tests/**/*.ts',
]

const files = globSync(SOURCES, { exclude: (name) => name === 'node_modules' })
const { options, ...ruleSet } = createRequire(import.meta.url)('../.dependency-cruiser.cjs')
const { enhancedResolveOptions, ...cruiseOptions } = options

const { output } = await cruise(files, { ...cruiseOptions, ruleSet, validate: true }, enhancedResolveOptions, {
  tsConfig: extractTSConfig('tsconfig.json'),
})

const seen = new Set(output.modules.map((module) => module.source))
const missed = files.filter((file) => !seen.has(file))
const { violations } = output.summary

for (const { rule, from, to, comment } of violations) {
  process.stdout.write(
    `${rule.severity}  ${rule.name}: ${from} → ${to}${comment === undefined ? '' : `\n       ${comment}`}\n`,
  )
}
for (const file of missed.slice(0, 10)) process.stdout.write(`error  not cruised: ${file}\n`)
process.stdout.write(
  `${files.length} files, ${output.summary.totalDependenciesCruised} imports, ${violations.length} violations\n`,
)
process.exitCode = violations.some((v) => v.rule.severity === 'error') || missed.length > 0 ? 1 : 0
