// Dashboard and alert rules against what a real sidecar exports; with Prometheus itself where it is installed.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { ask, bearer, METRICS_KEY, metricsOf, serveSidecar } from '../support/served.ts';
import { ScriptedRunner } from '../support/scripted-runner.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const rulesText = read('examples/deploy/prometheus/kvshare-alerts.yaml');
const rules = (parse(rulesText) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly annotations?: { readonly summary: string; readonly todo: string };
}
const dashboard = JSON.parse(read('examples/deploy/grafana/kvshare-dashboard.json')) as {
  panels: { title: string; targets: { expr: string }[] }[];
};
const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

const runner = new ScriptedRunner();
let served: Awaited<ReturnType<typeof serveSidecar>>;
let metrics: string;
beforeAll(async () => {
  served = await serveSidecar(runner);
  const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 3 };
  await ask(served.url, '/v1/chat/completions', body, bearer('key-north'));
  await ask(served.url, '/v1/chat/completions', {}, bearer('key-north'));
  metrics = await metricsOf(served.url);
});
afterAll(() => served.sidecar.close());

/** Metrics by name and type, as they are declared. */
const exported = () =>
  new Map([...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));

const usedIn = (expression: string): string[] => [
  ...new Set([...expression.matchAll(/\bkvshare_\w+/g)].map(([name]) => name)),
];

const baseOf = (name: string): string =>
  [...exported()].some(([known, type]) => type === 'histogram' && name === `${known}_bucket`)
    ? name.replace(/_bucket$/, '')
    : name;

describe('metrics', () => {
  it('follow Prometheus’ conventions: prefix, base units, _total for counters, present from the start', () => {
    expect(exported().size).toBeGreaterThan(15);
    for (const [name, type] of exported()) {
      expect(name).toMatch(/^kvshare_[a-z][a-z0-9_]*$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      if (type === 'histogram') expect(name).toMatch(/_(seconds|nats)$/);
      expect(name).not.toMatch(/_(ms|millis|kb|mb)(_|$)/);
      // A series of it is there.
      expect(metrics).toMatch(new RegExp(`^${name}(_bucket)?(\\{| )`, 'm'));
    }
    expect(metrics).toMatch(/^kvshare_errors_total\{code="invalid_request"\} 1$/m);
    expect(metrics).toMatch(/^kvshare_errors_total\{code="queue_full"\} 0$/m);
    expect(metrics).toMatch(/^kvshare_runner_up 1$/m);
  });

  it('are those of the README’s table', () => {
    const readme = read('README.md');
    const table = readme.slice(readme.search(/\| metric +\|/));
    const named = [...table.slice(0, table.indexOf('\n\n')).matchAll(/`(kvshare_\w+)/g)];
    expect(named.map(([, name]) => name).sort()).toEqual([...exported().keys()].sort());
  });

  it('cover everything that dashboard and alerts ask for', () => {
    const used = new Set(
      [...expressions, ...rules.map(({ expr }) => expr)].flatMap(usedIn).map(baseOf),
    );
    for (const name of used) expect([...exported().keys()]).toContain(name);
  });

  it('every alert says what to do', () => {
    for (const { alert, annotations } of rules) {
      if (alert)
        expect(annotations).toEqual({ summary: expect.any(String), todo: expect.any(String) });
    }
  });
});

const installed = ['prometheus', 'promtool'].every(
  (tool) => spawnSync(tool, ['--version']).status === 0,
);
const onPrometheus = installed ? describe : describe.skip;

onPrometheus('Prometheus itself (skipped without it: apt-get install prometheus)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvshare-prometheus-'));
  const port = 20_000 + (process.pid % 20_000);
  const api = `http://127.0.0.1:${port}/api/v1`;
  let prometheus: ChildProcess;
  beforeAll(async () => {
    cpSync(fileURLToPath(new URL('examples/deploy/prometheus', root)), folder, { recursive: true });
    const config = read('examples/deploy/prometheus/prometheus.yaml')
      .replace('scrape_interval: 15s', 'scrape_interval: 1s, evaluation_interval: 1s')
      .replace('127.0.0.1:8080', served.url.slice('http://'.length));
    writeFileSync(join(folder, 'prometheus.yaml'), config);
    writeFileSync(join(folder, 'kvshare-metrics-key'), METRICS_KEY);
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    for (let i = 0; i < 150; i++) {
      const up = await query('up{job="kvshare"}').catch(() => []);
      const twice = up.length > 0 ? await query('count_over_time(up{job="kvshare"}[1m]) > 2') : [];
      if (twice.length > 0) return;
      await sleep(200);
    }
    throw new Error('Prometheus did not scrape the sidecar');
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => prometheus.once('exit', resolve));
    prometheus.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  });

  async function query(expression: string): Promise<unknown[]> {
    const answer = await fetch(
      `${api}/query?${new URLSearchParams({ query: expression }).toString()}`,
    );
    const { status, data, error } = (await answer.json()) as {
      status: string;
      data?: { result: unknown[] };
      error?: string;
    };
    if (status !== 'success') throw new Error(`${expression}: ${error ?? ''}`);
    return data!.result;
  }

  it('checks configuration and rules', () => {
    for (const [what, file] of [
      ['config', 'prometheus.yaml'],
      ['rules', 'kvshare-alerts.yaml'],
    ]) {
      const { status, stderr, stdout } = spawnSync(
        'promtool',
        ['check', what!, join(folder, file!)],
        { encoding: 'utf8' },
      );
      expect([status, status === 0 ? '' : stderr + stdout]).toEqual([0, '']);
    }
  });

  it('wakes nobody for one tenant’s prompts, but for those of most', () => {
    const rung = (name: string, values: string) => ({
      series: `kvshare_guard_rung{job="kvshare", route="ward", rung="${name}"}`,
      values,
    });
    const series = (asked: number, exact: number) => [
      rung('asked', `${asked}x20`),
      rung('exact', `${exact}x20`),
      {
        series: 'kvshare_guard_trips_total{job="kvshare", route="ward"}',
        values: `0 ${exact}x20`,
      },
    ];
    const fires = (alertname: string, severity: string | null) => {
      const { annotations } = rules.find(({ alert }) => alert === alertname)!;
      const told = (text: string): string => text.replace('{{ $labels.route }}', 'ward');
      const alert = {
        exp_labels: { severity, job: 'kvshare', route: 'ward' },
        exp_annotations: {
          summary: told(annotations!.summary),
          todo: annotations!.todo,
        },
      };
      return { alertname, eval_time: '15m', exp_alerts: severity === null ? [] : [alert] };
    };
    const cases = [
      { asked: 4, exact: 1, most: null },
      { asked: 0, exact: 1, most: null },
      { asked: 1, exact: 3, most: 'critical' },
    ];
    const file = join(folder, 'alerts.test.yaml');
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({
        rule_files: ['kvshare-alerts.yaml'],
        tests: cases.map(({ asked, exact, most }) => ({
          interval: '1m',
          input_series: series(asked, exact),
          alert_rule_test: [
            fires('KvshareGuardTripped', 'warning'),
            fires('KvshareGuardTrippedForMost', most),
          ],
        })),
      }),
    );
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], {
      encoding: 'utf8',
    });
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  });

  it('loads every rule and evaluates it without a fault', async () => {
    interface Loaded {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    }
    let loaded: Loaded['data']['groups'][number]['rules'] = [];
    for (let i = 0; i < 50 && !loaded.some(({ health }) => health === 'ok'); i++) {
      const answer = (await (await fetch(`${api}/rules`)).json()) as Loaded;
      loaded = answer.data.groups.flatMap((group) => group.rules);
      await sleep(200);
    }
    expect(loaded.map(({ name }) => name)).toEqual(
      rules.map(({ alert, record }) => alert ?? record),
    );
    for (const { name, health, lastError } of loaded) {
      expect([name, health, lastError]).toEqual([name, 'ok', undefined]);
    }
  });

  it('answers every expression of the dashboard', async () => {
    for (const expression of expressions) {
      const concrete = expression
        .replaceAll('$job', 'kvshare')
        .replaceAll('$__rate_interval', '1m');
      expect([concrete, (await query(concrete)).length > 0]).toEqual([concrete, true]);
    }
  });

  it('sees that the runner is gone', async () => {
    const { expr } = rules.find(({ alert }) => alert === 'KvshareRunnerDown')!;
    expect(await query(expr)).toEqual([]);
    runner.crash();
    for (let i = 0; i < 100 && (await query(expr)).length === 0; i++) await sleep(200);
    expect(await query(expr)).toHaveLength(1);
  });
});
