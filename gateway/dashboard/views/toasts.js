// toasts.js - what has just happened, in a corner, for a moment: at most three, one a kind with a count; by default what
// is critical and what this tab asked for. A flood is one line. Everything is under Events too.
// SPDX-License-Identifier: MIT
import { html, useEffect, useState } from '../lib/ui.js';
import { client, workers } from '../lib/live.js';
import { own } from '../lib/actions.js';
import { setting } from '../lib/settings.js';

const SHOWN_MAX = 3, STAYS_MS = 8000, FLOOD = 12, FLOOD_MS = 2000;

const KINDS = {
  'worker.created': ['life', d => `${d.name} appeared`], 'worker.terminated': ['life', d => `${d.name} is gone`], 'worker.paused': ['life', (d, n) => `${n} paused (${d.pause_reason})`],
  'worker.resumed': ['life', (d, n) => `${n} resumed (${d.resume_reason})`], 'worker.disconnected': ['critical', (d, n) => `${n}: its CML does not answer`], 'worker.connected': ['life', (d, n) => `${n}: its CML answers`],
  'alert.raised': ['alert', d => d.message], 'job.failed': ['critical', (d, n) => `${d.job_type} failed${n ? ` on ${n}` : ''}: ${d.error}`], 'job.completed': ['own', (d, n) => `${d.job_type} done${n ? ` on ${n}` : ''}`],
};

/** Whether it is worth a word, by what this browser wants: `critical` (and one's own), `all` or `none`. */
export function wanted(event, level, mine) {
  const [kind] = KINDS[event.type] ?? [];
  if (!kind || level === 'none') return false;
  const isMine = mine.has(event.data.job_id);
  if (kind === 'own') return isMine;
  return level === 'all' || isMine || kind === 'critical' || (kind === 'alert' && event.data.severity === 'critical');
}
const say = event => KINDS[event.type][1](event.data, workers.get(event.data.worker_id)?.name);

/** One more into those that are shown: the same kind is counted, the oldest makes room. */
export function merge(shown, event, text, now) {
  const same = shown.find(each => each.type === event.type);
  if (same) return shown.map(each => (each === same ? { ...each, count: each.count + 1, text, until: now + STAYS_MS, worker: event.data.worker_id } : each));
  return [...shown.slice(-(SHOWN_MAX - 1)), { type: event.type, text, count: 1, until: now + STAYS_MS, worker: event.data.worker_id }];
}

function notify(event, text) {
  if (setting('notify') === 'on' && document.hidden && globalThis.Notification?.permission === 'granted') new Notification('cmlwatch', { body: text, tag: event.type });
}

export function Toasts() {
  const [shown, show] = useState([]);
  useEffect(() => {
    let recent = [];
    const off = client.on('*', event => {
      if (!wanted(event, setting('toasts'), own)) return;
      const now = Date.now(), text = say(event);
      recent = [...recent.filter(at => now - at < FLOOD_MS), now];
      notify(event, text);
      if (recent.length > FLOOD) show([{ type: 'flood', text: `${recent.length} things happened within two seconds; see Events`, count: 1, until: now + STAYS_MS }]);
      else show(list => merge(list.filter(each => each.type !== 'flood'), event, text, now));
    });
    const timer = setInterval(() => show(list => (list.some(each => each.until < Date.now()) ? list.filter(each => each.until >= Date.now()) : list)), 500);
    return () => { off(); clearInterval(timer); };
  }, []);
  return html`<div id="toasts" role="log" aria-live="polite" aria-label="Just now">${shown.map(each => html`<p key=${each.type} class="toast" data-type=${each.type}>
    ${each.count > 1 ? html`<b>${each.count} ×</b> ` : null}${each.worker && workers.has(each.worker) ? html`<a href=${`#/worker/${each.worker}`}>${each.text}</a>` : each.text}
    <button type="button" aria-label="away with it" onClick=${() => show(list => list.filter(other => other !== each))}>×</button></p>`)}</div>`;
}
