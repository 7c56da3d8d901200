// Light or dark: as the system says, until somebody presses the button.
import { byId } from './parts.js';

const KEPT = 'kvshare-theme';
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

const inForce = () => localStorage.getItem(KEPT) ?? (prefersDark.matches ? 'dark' : 'light');

function show() {
  const chosen = localStorage.getItem(KEPT);
  if (chosen) document.documentElement.dataset['theme'] = chosen;
  byId('theme').textContent = inForce() === 'dark' ? 'Light colours' : 'Dark colours';
}

export function startTheme() {
  show();
  prefersDark.addEventListener('change', show);
  byId('theme').addEventListener('click', () => {
    localStorage.setItem(KEPT, inForce() === 'dark' ? 'light' : 'dark');
    show();
  });
}
