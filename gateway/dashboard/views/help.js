// help.js - the keys, and what this browser is to show of what happens. SPDX-License-Identifier: MIT
import { html, useEffect, useLive, useRef } from '../lib/ui.js';
import { set, setting } from '../lib/settings.js';

const KEYS = [['/', 'search'], ['1 … 5', 'workers, jobs, events, alerts, system'], ['↑ ↓', 'a row up or down'], ['Enter', 'open the row'], ['Escape', 'back'],
  ['p', 'hold live updates, or let them go on'], ['t', 'theme'], ['z', 'local time or UTC'], ['k', 'kiosk: nothing but the view'], ['?', 'these keys']];
const TOASTS = [['critical', 'what is critical, and what I asked for'], ['all', 'whatever happens to workers and jobs'], ['none', 'nothing']];

/** The browser itself asks, once; what it says holds. */
async function notify(on) {
  const may = on && globalThis.Notification ? await Notification.requestPermission() : 'denied';
  set('notify', may === 'granted' ? 'on' : 'off');
}

export function Help({ close }) {
  useLive(['settings']);
  const box = useRef();
  useEffect(() => { box.current.showModal(); }, []);
  return html`<dialog ref=${box} onClose=${close} aria-label="Keys and settings"><h2>Keys</h2>
    <dl class="keys">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <h2>In the corner</h2>
    <p><label>Say <select id="toasts-of" onChange=${event => set('toasts', event.target.value)}>${TOASTS.map(([value, words]) => html`<option value=${value} selected=${setting('toasts') === value}>${words}</option>`)}</select></label></p>
    <p><label class="switch"><input type="checkbox" id="notify" checked=${setting('notify') === 'on'} onChange=${event => notify(event.target.checked)}/> also as the browser's notification while this tab is hidden</label></p>
    <form method="dialog" class="buttons"><button autofocus>close</button></form></dialog>`;
}
