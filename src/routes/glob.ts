// `*` stands for any characters. Without regular expressions: their time grows with the power of the stars, and what is
// matched comes from whoever sends a request.

/** Whether the whole value fits, in time proportional to it. */
export function fitsGlob(pattern: string, value: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return value === first;
  if (value.length < first.length + last.length) return false;
  if (!value.startsWith(first) || !value.endsWith(last)) return false;
  const end = value.length - last.length;
  let at = first.length;
  // The first place is the best one: it leaves most for those behind it.
  for (const part of rest) {
    const found = value.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
