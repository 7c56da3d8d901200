// Quality over cost as a picture: charged recompute to the right, KL upwards on a logarithmic scale, the front as a
// line. No library: three shapes and some text.
import type { ParetoPoint } from './pareto.ts';

const [WIDTH, HEIGHT] = [720, 440];
const MARGIN = { left: 80, right: 130, top: 24, bottom: 56 };
/** Below this KL a policy is as good as full prefill. */
const FLOOR = 1e-6;

const powers = (low: number, high: number): number[] =>
  Array.from({ length: high - low + 1 }, (_, i) => low + i);

const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

export function paretoSvg(points: readonly ParetoPoint[]): string {
  const height = (kl32: number): number => Math.log10(Math.max(kl32, FLOOR));
  const top = Math.max(-1, ...points.map(({ kl32 }) => Math.ceil(height(kl32))));
  const bottom = Math.min(top - 1, ...points.map(({ kl32 }) => Math.floor(height(kl32))));
  const inner = {
    width: WIDTH - MARGIN.left - MARGIN.right,
    height: HEIGHT - MARGIN.top - MARGIN.bottom,
  };
  const x = (charged: number): number => MARGIN.left + inner.width * charged;
  const y = (power: number): number => MARGIN.top + (inner.height * (top - power)) / (top - bottom);
  const place = ({ chargedRecompute, kl32 }: ParetoPoint): string =>
    `${x(chargedRecompute).toFixed(1)},${y(height(kl32)).toFixed(1)}`;
  const front = points
    .filter(({ onFront }) => onFront)
    .sort((a, b) => a.chargedRecompute - b.chargedRecompute);
  const marks = points.map((point) => {
    const [cx, cy] = place(point).split(',') as [string, string];
    const fill = point.onFront ? '#1b6e3c' : '#a33';
    return (
      `<circle cx="${cx}" cy="${cy}" r="5" fill="${fill}"/>` +
      `<text x="${Number(cx) + 9}" y="${Number(cy) + 4}">${escapeXml(point.policy)}</text>`
    );
  });
  const rows = powers(bottom, top).map(
    (power) =>
      `<line x1="${x(0)}" x2="${x(1)}" y1="${y(power)}" y2="${y(power)}" stroke="#ddd"/>` +
      `<text x="${x(0) - 8}" y="${y(power) + 4}" text-anchor="end">${power <= Math.log10(FLOOR) ? '0' : `1e${power}`}</text>`,
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(share)}" y="${HEIGHT - MARGIN.bottom + 20}" text-anchor="middle">${share}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<title>KL to full prefill over charged recompute</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...rows,
    ...ticks,
    `<text x="${x(0.5)}" y="${HEIGHT - 12}" text-anchor="middle">charged recompute, share of full prefill (mean over all cases)</text>`,
    `<text transform="translate(18 ${MARGIN.top + inner.height / 2}) rotate(-90)" text-anchor="middle">mean KL over 32 tokens, nats</text>`,
    `<polyline fill="none" stroke="#1b6e3c" stroke-dasharray="4 3" points="${front.map(place).join(' ')}"/>`,
    ...marks,
    '</svg>',
    '',
  ].join('\n');
}
