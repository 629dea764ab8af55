// export.js - what the fleet view shows, to take away. SPDX-License-Identifier: MIT
import { html, useState } from '../lib/ui.js';
import { csv, curl } from '../lib/export.js';

/** What the browser keeps as a file. */
export function save(name, type, body) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([body], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function Export({ list, filter }) {
  const [said, say] = useState('');
  const copy = async () => {
    const words = curl(location.origin, filter);
    try { await navigator.clipboard.writeText(words); say('copied'); } catch { say(words); }
  };
  return html`<div class="pop">
    <button type="button" onClick=${() => save('workers.csv', 'text/csv', csv(list))}>CSV</button>
    <button type="button" onClick=${() => save('workers.json', 'application/json', JSON.stringify(list, null, 1))}>JSON</button>
    <button type="button" onClick=${copy}>copy as curl</button> <code role="status">${said}</code></div>`;
}
