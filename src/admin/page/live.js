// The numbers that change: drawn again with each snapshot, at most once a frame.
import { bytes, count, decimal, percent } from './format.js';
import { byId, element, row } from './parts.js';

/** Half-second snapshots: five minutes. */
const POINTS = 600;

/** @type {(number | null)[]} */
const history = [];

/** @param {import('./types.d.ts').Stats} stats */
function drawFigures(stats) {
  const { requests, hitRate, savedTokens, promptTokens } = stats;
  /** @type {[string, string][]} */
  const figures = [
    ['Hit rate, last minute', percent(hitRate.lastMinute)],
    ['Hit rate, since the start', percent(hitRate.total)],
    ['Tokens saved', `${count(savedTokens)} of ${count(promptTokens.total)}`],
    ['Requests', count(requests.total)],
    ['Requests a second', decimal(stats.requestsPerSecond, 1)],
    ['Being served', count(stats.inFlight)],
    ['Donors', count(stats.donors)],
  ];
  const terms = figures.map(([name, value]) =>
    element('div', {}, element('dt', {}, name), element('dd', {}, value)),
  );
  byId('figures').replaceChildren(...terms);
}

/** @param {number | null} latest */
function drawHistory(latest) {
  history.push(latest);
  if (history.length > POINTS) history.shift();
  const step = 600 / Math.max(1, POINTS - 1);
  const points = history.flatMap((value, at) =>
    value === null ? [] : [`${(at * step).toFixed(1)},${(78 - value * 76).toFixed(1)}`],
  );
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  line.setAttribute('points', points.join(' '));
  const chart = byId('history');
  chart.setAttribute('aria-label', `Hit rate of the last minute, now ${percent(latest)}`);
  chart.replaceChildren(line);
}

/** @param {import('./types.d.ts').Stats} stats */
function drawTables({ ttftMs, memory, guard, routes }) {
  byId('times').replaceChildren(
    row('With reuse', count(ttftMs.reuse.count), count(ttftMs.reuse.p50), count(ttftMs.reuse.p95)),
    row('Without', count(ttftMs.cold.count), count(ttftMs.cold.p50), count(ttftMs.cold.p95)),
  );
  byId('memory').replaceChildren(
    ...memory.map(({ tier, bytes: used, maxBytes }) => {
      const share = maxBytes === 0 ? 0 : used / maxBytes;
      const label = `${tier}: ${percent(share)} used`;
      const meter = element('meter', { value: `${share}`, 'aria-label': label });
      return row(tier, bytes(used), maxBytes === 0 ? 'off' : bytes(maxBytes), meter);
    }),
  );
  const traffic = new Map(routes.map((one) => [one.route, one]));
  byId('routes').replaceChildren(
    ...guard.map(({ route, state, tenants, samples, top1, kl }) => {
      const { requests = 0, hitRate = null } = traffic.get(route) ?? {};
      const all = Object.values(tenants).reduce((sum, some) => sum + some, 0);
      const served = all > 1 ? `${state} (${tenants[state] ?? 0} of ${all} tenants)` : state;
      const cells = [count(requests), percent(hitRate), served, count(samples)];
      return row(route, ...cells, percent(top1), decimal(kl, 4));
    }),
  );
}

/** @type {import('./types.d.ts').Snapshot | null} */
let waiting = null;

/**
 * @param {import('./types.d.ts').Snapshot} snapshot
 * @param {(newest: readonly import('./types.d.ts').Served[]) => void} drawRequests
 */
export function showSnapshot(snapshot, drawRequests) {
  const isDue = waiting === null;
  waiting = snapshot;
  if (!isDue) return;
  requestAnimationFrame(() => {
    if (!waiting) return;
    const { stats, newest } = waiting;
    waiting = null;
    const { runner } = stats;
    const state = runner ? `Live: ${runner.model} on ${runner.backend}` : 'The runner is away';
    // Only a change is worth saying.
    if (byId('state').textContent !== state) byId('state').textContent = state;
    drawFigures(stats);
    drawHistory(stats.hitRate.lastMinute);
    drawTables(stats);
    drawRequests(newest);
  });
}
