/** The arrows of the house: cli, server → loop → converge → steps → model → schemas, and providers → model. */

const STEPS = ['source', 'compile', 'observe', 'place', 'plan', 'apply', 'record', 'store'];
const STEP = `^reconciler/(${STEPS.join('|')})/`;
const PURE = '^(reconciler/(model|compile|place|plan)/|providers/[^/]+/diff\\.ts$)';
/** What reaches out of the process, by node's own modules. */
const OUTSIDE = [
  'fs',
  'fs/promises',
  'net',
  'dgram',
  'dns',
  'dns/promises',
  'http',
  'http2',
  'https',
  'tls',
  'child_process',
  'cluster',
  'worker_threads',
  'os',
  'process',
  'timers',
  'timers/promises',
  'readline',
  'repl',
  'inspector',
  'perf_hooks',
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or the shared part belongs to a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'model-stands-alone',
      comment: 'The vocabulary imports nothing but the types of the schemas, so that every room can use it.',
      severity: 'error',
      from: { path: '^reconciler/model/' },
      to: { pathNot: ['^reconciler/model/', '^schemas/types\\.ts$', '^crypto$'] },
    },
    {
      name: 'schemas-import-nothing',
      comment: 'The schemas are the bottom of the house.',
      severity: 'error',
      from: { path: '^schemas/' },
      to: { pathNot: '^schemas/' },
    },
    {
      name: 'disk-stands-alone',
      comment: 'How a file is replaced is the same for all who may do I/O; it knows nothing of the house.',
      severity: 'error',
      from: { path: '^disk/' },
      to: { path: '^(reconciler|providers|cli|server|web|lab|schemas)/' },
    },
    {
      name: 'core-is-pure',
      comment:
        'Compile, place, plan and every diff can be run a thousand times in a test: no I/O, no logger, no clock.',
      severity: 'error',
      from: { path: PURE },
      to: {
        path: [
          '^disk/',
          `^(${OUTSIDE.join('|')})$`,
          '(^|/)node_modules/(pino|dockerode|ioredis|simple-git|commander|picocolors)/',
        ],
      },
    },
    {
      name: 'no-step-to-sibling-step',
      comment: 'Steps meet in converge.ts and in the model; a step that calls another hides the sentence.',
      severity: 'error',
      from: { path: `^reconciler/(${STEPS.join('|')})/` },
      to: { path: STEP, pathNot: '^reconciler/$1/' },
    },
    {
      name: 'steps-look-down',
      comment: 'A step does not know who calls it.',
      severity: 'error',
      from: { path: STEP },
      to: { path: '^(reconciler/(converge\\.ts|loop/)|providers/|cli/|server/|web/|lab/)' },
    },
    {
      name: 'converge-knows-steps-only',
      comment: 'The sentence is given its steps and names no provider and no store.',
      severity: 'error',
      from: { path: '^reconciler/converge\\.ts$' },
      to: { pathNot: ['^reconciler/(converge\\.ts$|model/)', STEP] },
    },
    {
      name: 'loop-knows-no-providers',
      comment: 'Providers are passed in, so that the same loop runs on any runtime and in tests.',
      severity: 'error',
      from: { path: '^reconciler/loop/' },
      to: { path: '^(providers|cli|server|web|lab)/' },
    },
    {
      name: 'controller-and-agent-meet-in-the-store',
      comment:
        'What one knows of the other went through the store, so that each may be of another version, on another machine.',
      severity: 'error',
      from: { path: '^reconciler/loop/(controller|agent|status)/' },
      to: { path: '^reconciler/loop/(controller|agent|up|fleet-)', pathNot: '^reconciler/loop/$1/' },
    },
    {
      name: 'providers-know-the-model-only',
      comment:
        'What one provider needs from another goes through the observed world. How programs are started is the same for all.',
      severity: 'error',
      from: { path: '^providers/([^/]+)/' },
      to: {
        path: '^(providers|reconciler|cli|server|web|lab)/',
        pathNot: ['^providers/$1/', '^providers/exec/', '^reconciler/model/'],
      },
    },
    {
      name: 'lab-is-no-part-of-the-product',
      comment: 'The lab makes hosts; only the command line starts it, and it knows the model alone.',
      severity: 'error',
      from: { path: '^lab/' },
      to: { path: '^(reconciler|providers|cli|server|web)/', pathNot: '^reconciler/model/' },
    },
    {
      name: 'only-cli-composes',
      comment: 'The command line is the only place that names concrete providers and stores.',
      severity: 'error',
      from: { path: '^(reconciler|providers|lab|disk|schemas)/' },
      to: { path: '^(cli|server|web)/' },
    },
    {
      name: 'not-to-tests',
      comment: 'What runs in production does not need the tests or the benches.',
      severity: 'error',
      from: { path: '^(schemas|disk|reconciler|providers|cli|lab)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'not-to-dev-packages',
      comment: 'A user installs without the tools.',
      severity: 'error',
      from: { path: '^(schemas|disk|reconciler|providers|cli|lab)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '@types/' },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere fails at the worst time.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
