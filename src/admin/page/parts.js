// Pieces of the page. Texts go in as text, never as markup.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/** A table row whose first cell is its heading. @param {(Node | string)[]} cells */
export function row(...cells) {
  const [head = '', ...rest] = cells;
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, head),
    ...rest.map((cell) => element('td', {}, cell)),
  );
}

/** Text for screen readers only. @param {string} text */
export const spoken = (text) => element('span', { class: 'hidden-text' }, text);
