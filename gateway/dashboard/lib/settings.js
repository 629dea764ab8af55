// settings.js - what this browser was told to look like; kept here alone, for all its tabs.
// SPDX-License-Identifier: MIT
import { touch } from './ui.js';

const DEFAULTS = { theme: 'auto', zone: 'local', toasts: 'critical', notify: 'off', kiosk: 'off' };
const KEY = 'cmlwatch.settings';
let kept = load();

function load() {
  try { return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') }; } catch { return { ...DEFAULTS }; }
}
function show() {
  const { dataset } = document.documentElement;
  dataset.theme = kept.theme;
  dataset.kiosk = kept.kiosk;
}

export const setting = name => kept[name];
export function set(name, value) {
  kept = { ...kept, [name]: value };
  try { localStorage.setItem(KEY, JSON.stringify(kept)); } catch { /* a browser that keeps nothing forgets it with the tab */ }
  show();
  touch('settings');
}
addEventListener('storage', event => { if (event.key === KEY) { kept = load(); show(); touch('settings'); } });
show();
