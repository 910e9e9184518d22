// Who may import whom: the machine-readable form of the table in ARCHITECTURE.md. Paths are matched as regular
// expressions; an arrow that is not listed here does not exist.

/** The packages, and what their `src` may import besides itself. */
const ARROWS = {
  common: [],
  ratis: ['common/'],
  scm: ['common/', 'ratis/'],
  om: ['common/', 'ratis/', 'scm/src/(api|client|access)/'],
  hdds: ['common/', 'ratis/', 'scm/src/(api|client|access)/'],
  // scm/api: what the admin calls report of nodes, containers and pipelines.
  'protocol-bus': ['common/', 'om/src/(api|client)/', 'hdds/src/(api|client)/', 'scm/src/api/'],
  'plugins/s3': ['common/', 'protocol-bus/src/api/'],
  'plugins/native': ['common/', 'protocol-bus/src/api/'],
  cluster: ['common/', 'ratis/', 'scm/', 'om/', 'hdds/', 'protocol-bus/', 'plugins/'],
  cli: ['common/', 'cluster/', 'plugins/native/src/client/'],
  // Black boxes, judged by the checkers of histories.
  'compat-tests': ['ratis/src/testing/'],
}

/** A package's tests may also use the suites that others export for them. */
const TEST_DOORS = ['protocol-bus/src/testing/', 'protocol-bus/src/host/', 'ratis/src/testing/', 'common/']

const PACKAGE = `^(${Object.keys(ARROWS).join('|')})/`
const PURE = [
  '^[^/]+/src/(api|core)/',
  '^plugins/[^/]+/src/core/',
  '^common/src/(errors\\.ts|codec/|env/[^/]+\\.ts|kv/kv\\.ts|log/logger\\.ts|metrics/(metrics|exposition|instruments)\\.ts)',
]
const PURE_NOT = ['^common/src/env/contracts\\.ts', '\\.bench\\.ts$']

const arrows = Object.entries(ARROWS).flatMap(([name, allowed]) => [
  {
    name: `arrows-of-${name.replace('/', '-')}`,
    comment: `${name} may import only: ${allowed.join(', ') || 'nothing of ours'}`,
    severity: 'error',
    from: { path: name === 'compat-tests' ? '^compat-tests/' : `^${name}/(src|bin)/` },
    to: { path: PACKAGE, pathNot: [`^${name}/`, ...allowed.map((door) => `^${door}`)] },
  },
  ...(name === 'compat-tests'
    ? []
    : [
        {
          name: `arrows-of-${name.replace('/', '-')}-tests`,
          comment: 'A test reaches what its package reaches, and the suites exported for it.',
          severity: 'error',
          from: { path: `^${name}/test/` },
          to: {
            path: PACKAGE,
            pathNot: [`^${name}/`, ...allowed.map((door) => `^${door}`), ...TEST_DOORS.map((door) => `^${door}`)],
          },
        },
      ]),
])

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'pure-stays-pure',
      comment: 'Pure folders import pure folders only: no Node, no services, no packages but schemas and codecs.',
      severity: 'error',
      from: { path: PURE, pathNot: PURE_NOT },
      to: { pathNot: [...PURE, 'node_modules/(typebox|@bufbuild/protobuf)/'] },
    },
    {
      name: 'pure-not-contracts',
      comment: 'Contract suites live beside the ports and are not pure.',
      severity: 'error',
      from: { path: PURE, pathNot: PURE_NOT },
      to: { path: PURE_NOT },
    },
    {
      name: 'composition-only-in-cluster',
      comment: "A service's module.ts is bound by cluster and by its own tests.",
      severity: 'error',
      from: { pathNot: ['^cluster/', '/test/', '/module\\.ts$'] },
      to: { path: '^(scm|om|hdds|protocol-bus)/src/module\\.ts$' },
    },
    {
      name: 'container-only-in-composition',
      comment: 'tsyringe is seen by common/src/di and each module.ts.',
      severity: 'error',
      from: { pathNot: ['^common/src/di/', '/src/module\\.ts$'] },
      to: { path: 'node_modules/(tsyringe|reflect-metadata)/' },
    },
    {
      name: 'no-test-in-product',
      comment: 'Sources do not import tests or test libraries, but for the exported suites.',
      severity: 'error',
      from: { path: '/src/', pathNot: ['/testing(\\.ts$|/)', '/contracts?\\.ts$', '\\.bench\\.ts$'] },
      to: { path: ['/test/', 'node_modules/(vitest|fast-check)/'] },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere, or past an exports map.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/node_modules/.*/node_modules/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.cjs', '.json', '.node'],
    },
  },
}
