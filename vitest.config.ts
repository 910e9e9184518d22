import { defineConfig } from 'vitest/config'

if (Number(process.versions.node.split('.')[0]) < 24) {
  throw new Error(`the tests need Node 24 or later, this is ${process.version}: use \`npm test\` or \`npx vitest\``)
}

export default defineConfig({
  test: {
    include: ['*/test/**/*.test.ts', 'plugins/*/test/**/*.test.ts', 'tools/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'compat-tests/**'],
    pool: 'forks',
    maxWorkers: 2,
    // As in production: see cli/bin/o3.mjs.
    execArgv: [
      '--external-memory-accounted-in-global-limit',
      '--max-semi-space-size=4',
      '--disable-warning=ExperimentalWarning',
    ],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    benchmark: { include: ['*/src/**/*.bench.ts', 'plugins/*/src/**/*.bench.ts'] },
  },
})
