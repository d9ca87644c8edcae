/** The layers of docs/architecture.md. Each rule says why it is there. */
const layer = (name, reason, from, to) => ({
  name,
  comment: reason,
  severity: 'error',
  from: { path: `^${from}/` },
  to: { path: `^(${to})/` },
})

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'A cycle cannot be read, tested or replaced in parts.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    layer(
      'base-knows-nothing',
      'base is shared by all, so it may know none of them.',
      'base',
      'engine|learning|protocols|daemon|cloud-peer|tui|cli',
    ),
    layer(
      'engine-knows-tensors-only',
      'A graph compiler that knows language models cannot serve another use.',
      'engine',
      'learning|protocols|daemon|cloud-peer|tui|cli',
    ),
    layer(
      'learning-knows-no-wire',
      'Training must run, and be tested, without a network.',
      'learning',
      'protocols|daemon|cloud-peer|tui|cli',
    ),
    {
      name: 'protocols-take-types-of-learning-only',
      comment: 'The wire does not know how training works.',
      severity: 'error',
      from: { path: '^protocols/' },
      to: { path: '^(learning|engine)/', dependencyTypesNot: ['type-only'] },
    },
    layer(
      'protocols-below-processes',
      'What travels must not depend on who sends it.',
      'protocols',
      'daemon|cloud-peer|tui|cli',
    ),
    layer(
      'daemon-and-cloud-peer-apart',
      'A device runs without the cloud code, and the reverse; they meet on the wire.',
      'daemon',
      'cloud-peer|tui|cli',
    ),
    layer('cloud-peer-and-daemon-apart', 'As above.', 'cloud-peer', 'daemon|tui|cli'),
    layer(
      'tui-reads-the-local-api-only',
      'Every screen is one JSON endpoint, so what a screen shows a script can read.',
      'tui',
      'daemon|cloud-peer|learning|engine|cli',
    ),
    {
      name: 'public-face',
      comment: 'A folder is reached by its index.ts, so its inside may change freely.',
      severity: 'error',
      from: { path: '^(base|engine|daemon|cloud-peer|tui)/' },
      to: { path: '^(base|engine|daemon|cloud-peer|tui)/(?!index\\.ts$).+', pathNot: '^$1/' },
    },
    {
      name: 'public-face-of-parts',
      comment: 'As above, for the parts of learning and protocols.',
      severity: 'error',
      from: { path: '^((?:learning|protocols)/[^/]+)/' },
      to: { path: '^(learning|protocols)/[^/]+/(?!index\\.ts$).+', pathNot: '^$1/' },
    },
    {
      name: 'no-tests-in-source',
      comment: 'What is shipped does not need its tests.',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-orphan-dev-dependency',
      comment: 'A user installs dependencies only.',
      severity: 'error',
      from: { path: '^(base|engine|learning|protocols|daemon|cloud-peer|tui|cli)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|dist' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['cotune-source', 'import', 'require', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
}
