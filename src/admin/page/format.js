// Numbers as people read them.

const whole = new Intl.NumberFormat('en');
const MISSING = '–';

/** @param {number | null} value */
export const count = (value) => (value === null ? MISSING : whole.format(Math.round(value)));

/** @param {number | null} value */
export const percent = (value) => (value === null ? MISSING : `${(value * 100).toFixed(1)} %`);

/** @param {number | null} value @param {number} digits */
export const decimal = (value, digits) => (value === null ? MISSING : value.toFixed(digits));

/** @param {number} value */
export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 2 ** (10 * step)).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}
