// toasts.js - what has just happened, in a corner, for a moment: at most three, one a kind with a count; by default what
// is critical and what this tab asked for. A flood is one line. Everything is under Events too.
// SPDX-License-Identifier: MIT
import { html, useLayoutEffect, useState } from '../lib/ui.js';
import { client, workers } from '../lib/live.js';
import { own } from '../lib/actions.js';
import { FLOOD, FLOOD_MS, flood, merge, say, wanted } from '../lib/notices.js';
import { setting } from '../lib/settings.js';

function notify(event, text) {
  if (setting('notify') === 'on' && document.hidden && globalThis.Notification?.permission === 'granted') new Notification('cmlwatch', { body: text, tag: event.type });
}

export function Toasts() {
  const [shown, show] = useState([]);
  useLayoutEffect(() => { // before it is seen: nothing that happens from then on is missed
    let recent = [];
    const off = client.on('*', event => {
      if (!wanted(event, setting('toasts'), own)) return;
      const now = Date.now(), text = say(event, workers.get(event.data.worker_id)?.name);
      recent = [...recent.filter(at => now - at < FLOOD_MS), now];
      notify(event, text);
      if (recent.length > FLOOD) show(flood(recent.length, now));
      else show(list => merge(list.filter(each => each.type !== 'flood'), event, text, now));
    });
    const timer = setInterval(() => show(list => (list.some(each => each.until < Date.now()) ? list.filter(each => each.until >= Date.now()) : list)), 500);
    return () => { off(); clearInterval(timer); };
  }, []);
  return html`<div id="toasts" role="log" aria-live="polite" aria-label="Just now">${shown.map(each => html`<p key=${each.type} class="toast" data-type=${each.type}>
    ${each.count > 1 ? html`<b>${each.count} ×</b> ` : null}${each.worker && workers.has(each.worker) ? html`<a href=${`#/worker/${each.worker}`}>${each.text}</a>` : each.text}
    <button type="button" aria-label="away with it" onClick=${() => show(list => list.filter(other => other !== each))}>×</button></p>`)}</div>`;
}
