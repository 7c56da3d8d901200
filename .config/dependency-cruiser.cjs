// Arrows point down only: leaves (kv, errors, protocol, telemetry, gguf, provisioning, samples), middle rooms
// (tokenizer, match, vectors, reuse), tops (sidecar, runner, serve, harness, bench, demo, commands). Each third-party
// package has one owner. The comment of a rule is what a developer reads when it fires.
const room = (name) => `^src/${name}/`;
const leaves =
  '^src/((errors|listen|distributions|flags|nearest-name|package-info)\\.ts|kv/|protocol/|telemetry/|gguf/|provisioning/|samples/|meaning/)';

const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(src|adapters|test|examples)/', pathNot: allowed },
});

/** What others may import of a room: its index.ts, and the few second doors that keep an engine out of a sidecar. */
const doors = [
  '^src/[^/]+/index\\.ts$',
  '^src/runner/(client|server|load-engine|load-probe|memory-plan|poison|schedulers|precisions)\\.ts$',
  '^src/runner/backend/index\\.ts$',
  '^src/protocol/wire\\.ts$',
];

const owner = (pkg, paths, comment) => ({
  name: `owner-of-${pkg.replaceAll('/', '-')}`,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: paths },
  to: { path: `^node_modules/${pkg}(/|$)` },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Two files that import each other are one idea in two places.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports this file: delete it or use it.',
      severity: 'error',
      // graph-process.ts is started, the page is served: neither is imported.
      from: {
        orphan: true,
        path: '^src/',
        pathNot: '^src/((main|index|vectors/graphs/graph-process)\\.ts$|admin/page/)',
      },
      to: {},
    },
    {
      name: 'nothing-imports-test',
      comment: 'Product code must work without its tests.',
      severity: 'error',
      from: { path: '^(src|adapters|examples)/' },
      to: { path: '^test/' },
    },
    {
      name: 'through-the-door',
      comment:
        'Other rooms are entered through index.ts (runner: client, server, load-engine, load-probe, memory-plan, poison, schedulers, precisions; protocol: wire).',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: {
        path: '^src/[^/]+/.+',
        pathNot: ['^src/$1/', ...doors],
      },
    },
    {
      name: 'through-the-door-from-outside',
      comment:
        'Files that belong to no room use the doors too (main.ts loads single commands lazily).',
      severity: 'error',
      from: { path: '^(src/[^/]+\\.ts$|adapters/|examples/)' },
      to: { path: '^src/[^/]+/.+', pathNot: ['^src/commands/', ...doors] },
    },
    {
      name: 'declared-dependencies-only',
      comment:
        'An installed kvshare has no dev dependencies and nothing that package.json does not name.',
      severity: 'error',
      from: { path: '^(src|adapters)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      comment: 'This import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'config-is-handed-in',
      comment:
        'Rooms get their options passed in: only the commands, and the mount for settings in code, know where they come from.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/(main\\.ts|config(-file|-schema|-kv|-flags|-print|-log|-adapter|-telemetry|-admin)?\\.ts|commands/|mount/)',
      },
      to: {
        path: '^src/config(-file|-schema|-kv|-flags|-print|-log|-adapter|-telemetry|-admin)?\\.ts$',
      },
    },
    {
      name: 'commands-are-the-top',
      comment: 'A command wires rooms together; a room that needs one is upside down.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main\\.ts$|commands/)' },
      to: { path: '^src/commands/' },
    },
    {
      name: 'entries-are-for-others',
      comment: 'index.ts and main.ts are what users load; inside, import the room that has it.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/(index|main)\\.ts$' },
    },
    {
      name: 'src-works-without-adapters',
      comment: 'Deleting adapters/ must leave a working product: main.ts alone asks the registry.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^adapters/' },
    },
    only(
      'main-knows-commands',
      'main.ts picks a command; everything else loads lazily behind it.',
      '^src/main\\.ts$',
      '^src/(commands/|(config|errors|flags|nearest-name|package-info)\\.ts)|^adapters/registry\\.ts$',
    ),
    only(
      'config-knows-options',
      'config.ts composes option types and defaults; it starts nothing.',
      '^src/config(-file|-schema|-kv|-flags|-print|-log|-adapter|-telemetry|-admin|-memory)?\\.ts$',
      '^src/(config(-(file|schema|kv|flags|print|log|adapter|telemetry|admin|memory))?\\.ts|(errors|flags|nearest-name)\\.ts|routes/|open-model/index\\.ts|runner/(backend/|(schedulers|precisions)\\.ts))',
    ),
    only(
      'examples-use-the-public-door',
      'An example shows what a user can do.',
      '^examples/',
      '^examples/|^src/index\\.ts$|^adapters/registry\\.ts$',
    ),
    only(
      'adapters-know-leaves',
      'An adapter implements the runner port; it knows neither the other adapters nor our tops. What several need is in kit.',
      '^adapters/([^/]+)/',
      `^adapters/($1|kit)/|${leaves}`,
    ),
    only('kv-is-a-leaf', 'kv is data: it knows nothing else.', room('kv'), room('kv')),
    only(
      'telemetry-is-a-leaf',
      'telemetry only names events.',
      room('telemetry'),
      room('telemetry'),
    ),
    only(
      'protocol-is-a-leaf',
      'protocol knows kv and errors.',
      room('protocol'),
      '^src/(protocol|kv)/|^src/errors',
    ),
    only('gguf-is-a-leaf', 'gguf knows errors only.', room('gguf'), '^src/gguf/|^src/errors'),
    only('meaning-is-a-leaf', 'meaning judges texts.', room('meaning'), room('meaning')),
    only(
      'routes-chooses-options',
      'routes composes the options of match and reuse; it plans nothing.',
      room('routes'),
      '^src/(routes|match|reuse|protocol)/',
    ),
    only(
      'recording-is-a-leaf',
      'recording knows errors only.',
      room('recording'),
      '^src/recording/|^src/errors',
    ),
    only(
      'replay-runs-nothing',
      'replay plans; it knows no sockets and no tensors.',
      room('replay'),
      '^src/(replay|recording|match|similar|reuse|protocol|kv)/',
    ),
    only(
      'embed-knows-texts',
      'Embedders turn texts into vectors; tokens and donors are others’ business.',
      room('embed'),
      '^src/(embed|gguf|provisioning)/|^src/(errors|listen)',
    ),
    only(
      'similar-nominates',
      'similar puts embedders, vectors and the token index together; it plans nothing.',
      room('similar'),
      '^src/(similar|embed|vectors|match|kv)/',
    ),
    only('samples-is-a-leaf', 'samples are texts.', room('samples'), room('samples')),
    only(
      'provisioning-is-a-leaf',
      'provisioning knows errors only.',
      room('provisioning'),
      '^src/provisioning/|^src/errors',
    ),
    only(
      'tokenizer-knows-leaves',
      'Middle rooms never import each other.',
      room('tokenizer'),
      `^src/tokenizer/|${leaves}`,
    ),
    only(
      'match-knows-leaves',
      'Middle rooms never import each other.',
      room('match'),
      `^src/match/|${leaves}`,
    ),
    only(
      'vectors-knows-vectors',
      'vectors finds neighbours; what they stand for is the business of others.',
      room('vectors'),
      '^src/vectors/|^src/errors',
    ),
    only(
      'reuse-is-pure',
      'The planner knows kv, protocol and meaning, nothing that has state.',
      room('reuse'),
      '^src/(reuse|kv|protocol|meaning)/',
    ),
    {
      name: 'reuse-has-no-io',
      comment: 'The planner is a pure function: no clock, no randomness, no packages.',
      severity: 'error',
      from: { path: room('reuse') },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    only(
      'model-files-knows-leaves',
      'model-files fetches files.',
      room('model-files'),
      `^src/model-files/|${leaves}`,
    ),
    only(
      'native-knows-leaves',
      'native builds a backend.',
      room('native'),
      `^src/native/|${leaves}`,
    ),
    only(
      'llama-server-knows-leaves',
      'llama-server builds and starts a server; it asks nothing of it.',
      room('llama-server'),
      `^src/llama-server/|${leaves}`,
    ),
    only(
      'open-model-composes',
      'open-model opens what others have fetched and know how to read.',
      room('open-model'),
      `^src/(open-model|model-files|tokenizer|embed)/|${leaves}`,
    ),
    only(
      'serve-starts-processes',
      'serve keeps processes alive.',
      room('serve'),
      '^src/(serve/|errors)',
    ),
    only(
      'harness-is-a-client',
      'The harness drives a served KVShare from outside, over HTTP.',
      room('harness'),
      `^src/(harness|serve)/|${leaves}`,
    ),
    only(
      'demo-is-a-client',
      'The demo shows what a client sees, so it talks HTTP like one.',
      room('demo'),
      `^src/(demo|harness)/|${leaves}`,
    ),
    only(
      'drill-is-a-client',
      'The drill looks at the guard from outside; what it spoils is handed in.',
      room('drill'),
      `^src/(drill|harness)/|${leaves}`,
    ),
    only(
      'poison-is-for-drills',
      'Nothing that serves may spoil what is stored.',
      '^src/(?!commands/drill-command)',
      '^src/(?!runner/poison\\.ts)|^(adapters|test|examples)/',
    ),
    only(
      'bench-measures-from-outside',
      'Suites drive a served KVShare, or replay the pure rooms; they reach into no server.',
      room('bench'),
      `^src/(bench|harness|serve|llama-server|tokenizer|match|reuse|replay|similar|embed|vectors)/|${leaves}`,
    ),
    only(
      'sidecar-never-sees-tensors',
      'Sidecar and runner meet in protocol alone.',
      room('sidecar'),
      `^src/(sidecar|tokenizer|match|reuse|routes|recording|similar|embed|vectors)/|${leaves}`,
    ),
    only(
      'admin-operates-the-sidecar',
      'The admin port does what the sidecar lets an operator do; it reaches into nothing else.',
      room('admin'),
      `^src/(admin|sidecar|routes)/|${leaves}`,
    ),
    only(
      'mount-is-a-top',
      'The mount puts a sidecar into somebody else’s app; it computes and plans nothing.',
      room('mount'),
      `^src/(mount|sidecar|open-model|model-files|tokenizer)/|^src/runner/client\\.ts|^src/config(-file)?\\.ts|${leaves}`,
    ),
    only(
      'runner-never-sees-text',
      'The runner knows token ids, never text.',
      room('runner'),
      `^src/(runner|native)/|${leaves}`,
    ),
    only(
      'schedule-is-pure',
      'schedule orders what waits: no tensors, no clock, no engine.',
      '^src/runner/schedule/',
      '^src/runner/schedule',
    ),
    owner(
      'lru-cache',
      '^src/(runner/store/|sidecar/(last-runs|hot-prefixes)\\.ts|similar/passage-vectors\\.ts|vectors/cache/|routes/(quality-guard|break-even)\\.ts)',
      'The KV store owns the order of use; explain remembers the last runs, vectors are embedded once, tenants are many.',
    ),
    owner(
      'hnswlib-node',
      '^src/vectors/graphs/graph\\.ts',
      'It can abort its process: one file calls it, in a process of its own.',
    ),
    {
      name: 'graphs-have-their-own-process',
      comment: 'Only the entry of the graph process may load graphs.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/vectors/graphs/graph-process\\.ts' },
      to: { path: '^src/vectors/graphs/graph\\.ts' },
    },
    owner(
      'undici',
      '^src/(runner/client|embed/openai-embedder)\\.ts',
      'One place speaks HTTP to the runner, one to an embeddings server.',
    ),
    owner(
      'http-proxy-middleware',
      '^src/sidecar/passthrough\\.ts',
      'Only pass-through routes are proxied.',
    ),
    owner(
      'express',
      '^src/(sidecar/|runner/(server|control-routes)\\.ts|admin/|commands/bench/bypassing-apps\\.ts)',
      'Three servers: the sidecar, the runner port and the admin port; and the apps of a benchmark, as users have them.',
    ),
    owner(
      '@huggingface/tokenizers',
      '^src/(tokenizer|embed)/',
      'The model’s text becomes tokens in one room, that of the embedders in theirs.',
    ),
    owner('@huggingface/jinja', '^src/tokenizer/', 'Templates are rendered in one room.'),
    owner('@huggingface/hub', '^src/model-files/', 'Models are fetched in one room.'),
    owner(
      'ajv',
      '^src/(protocol/|config-schema\\.ts$|admin/endpoint\\.ts$)',
      'Schemas are checked where they are published.',
    ),
    owner('protobufjs', '^src/runner/graph/', 'Graphs are encoded in one room.'),
    owner('@opentelemetry', '^src/telemetry/', 'Traces have one owner.'),
    owner('prom-client', '^src/telemetry/', 'Metrics have one owner.'),
    owner('pino', '^src/telemetry/', 'Logs have one owner.'),
    owner(
      'yaml',
      '^src/config-(file|print)\\.ts',
      'Config files are read in one place, and shown in one.',
    ),
    {
      name: 'owner-of-tensorflow',
      comment:
        'Everybody else gets `tf` handed in, so that the native build and npm packages are interchangeable.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/runner/backend/' },
      to: {
        path: '^node_modules/@tensorflow/',
        dependencyTypesNot: ['type-only', 'type-import'],
      },
    },
    {
      name: 'tensors-stay-in-the-runner',
      comment:
        'Outside the runner there are token ids and plans; not even a tensor type. The sentence encoder has its own.',
      severity: 'error',
      from: { path: '^(src|adapters|examples)/', pathNot: '^src/(runner|embed/mini-lm)/' },
      to: { path: '^node_modules/@tensorflow/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
