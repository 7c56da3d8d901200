// One request: every token marked, its donors beside it, and why. Without texts a token is a box.
import { inspect } from './api.js';
import { count, percent } from './format.js';
import { byId, element, row, spoken } from './parts.js';

const BOX = '\u25a1';

const names = { exact: 'Exact', imported: 'Imported', recomputed: 'Computed' };

const whyNoText = {
  'not-enabled': 'Texts are not shown: this route does not have "inspect: text".',
  'needs-tenant-key': 'Texts are shown to whoever signs in with this tenant’s key, too.',
  gone: 'The prompt is not kept any more, so neither is its text shown.',
  shown: '',
};

/** @param {string} segment @param {string[]} donors */
const nameOf = (segment, donors) => `D${donors.indexOf(segment) + 1}`;

/** @param {import('./types.d.ts').Span} span @param {string[]} donors */
function meaningOf({ mark, reason, segment, start, end }, donors) {
  const from = segment === null ? '' : ` from ${nameOf(segment, donors)}`;
  const why = reason === null ? '' : ` (${reason})`;
  return `${names[mark]}${from}${why}, tokens ${start} to ${end - 1}`;
}

/** @param {string} kind @param {readonly string[]} texts @param {string} meaning */
function tokensOf(kind, texts, meaning) {
  const tokens = texts.map((text) => element('span', { class: `token ${kind}` }, text));
  return element('span', { title: meaning }, spoken(`[${meaning}] `), ...tokens);
}

/** @param {import('./types.d.ts').Span} span */
const textsOf = ({ texts, start, end }) => texts ?? Array.from({ length: end - start }, () => BOX);

function legend() {
  const marks = Object.entries(names).map(([mark, name]) =>
    element('li', {}, element('span', { class: `token ${mark}` }, ` ${name} `)),
  );
  return element('ul', { class: 'legend', 'aria-label': 'Legend' }, ...marks);
}

/** @param {import('./types.d.ts').Inspection} request */
function promptOf({ spans, compared, promptTokens }) {
  const donors = compared.map(({ donor }) => donor);
  const title = element('h3', {}, `Prompt, ${count(promptTokens)} tokens`);
  const runs = spans.map((span) => tokensOf(span.mark, textsOf(span), meaningOf(span, donors)));
  const label = { class: 'tokens', tabindex: '0', role: 'region', 'aria-label': 'Prompt' };
  return element('div', {}, title, element('div', label, ...runs));
}

/** @param {import('./types.d.ts').Compared} donor @param {number} at */
function donorOf({ donor, tokens, similarity, overlap, gate, used, isThere, texts }, at) {
  const title = element('h3', {}, `D${at + 1}: ${donor}, ${count(tokens)} tokens`);
  const facts = `${gate}; ${percent(overlap)} of the prompt stand in it; similarity ${similarity === null ? 'unknown' : similarity.toFixed(2)}${isThere ? '' : '; gone'}`;
  const all = texts ?? Array.from({ length: tokens }, () => BOX);
  /** @type {Node[]} */
  const runs = [];
  let end = 0;
  for (const { donorStart, targetStart, length } of [...used].sort(
    (a, b) => a.donorStart - b.donorStart,
  )) {
    if (donorStart > end) runs.push(tokensOf('unused', all.slice(end, donorStart), 'Not used'));
    const start = Math.max(end, donorStart);
    end = Math.max(end, donorStart + length);
    const meaning = `Tokens ${donorStart} to ${donorStart + length - 1} went to ${targetStart}`;
    runs.push(tokensOf('imported', all.slice(start, end), meaning));
  }
  if (end < all.length) runs.push(tokensOf('unused', all.slice(end), 'Not used'));
  const label = { class: 'tokens', tabindex: '0', role: 'region', 'aria-label': `Donor ${at + 1}` };
  return element('div', {}, title, element('p', {}, facts), element('div', label, ...runs));
}

/** @param {import('./types.d.ts').Inspection} request */
function show(request) {
  const { outcome, reason, policy, route, text, compared } = request;
  const why = `${outcome}: ${reason}, by ${policy} on route ${route}. ${whyNoText[text]}`;
  const columns = [promptOf(request), ...compared.map(donorOf)];
  byId('inspection').replaceChildren(
    element('p', {}, why),
    legend(),
    element('div', { class: 'side-by-side' }, ...columns),
  );
  byId('inspector-title').textContent = `Inspector: ${request.request}`;
}

/** @param {string} id */
async function open(id) {
  byId('inspector-problem').textContent = '';
  try {
    show(await inspect(id));
    byId('inspector-title').focus();
  } catch (error) {
    byId('inspector-problem').textContent = error instanceof Error ? error.message : 'Failed.';
  }
}

let isHeld = false;
let shownRows = '';

/** @param {readonly import('./types.d.ts').Served[]} newest */
export function drawRequests(newest) {
  const rows = newest.map(({ request }) => request).join();
  // Rows that are being read, or have the focus, do not move away.
  const isInUse = byId('requests').contains(document.activeElement);
  if (isHeld || isInUse || rows === shownRows) return;
  shownRows = rows;
  byId('requests').replaceChildren(
    ...newest.map((one) => {
      const button = element('button', { type: 'button' }, one.request);
      button.addEventListener('click', () => void open(one.request));
      const numbers = [one.promptTokens, one.exactTokens, one.importedTokens, one.recomputedTokens];
      const texts = [...numbers, one.ttftMs].map(count);
      return row(button, one.route, one.outcome, one.reason, ...texts);
    }),
  );
}

export function startInspector() {
  const button = byId('pause');
  button.addEventListener('click', () => {
    isHeld = !isHeld;
    button.setAttribute('aria-pressed', `${isHeld}`);
  });
}
