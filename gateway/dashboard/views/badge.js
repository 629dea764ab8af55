// badge.js - whether what is shown is live: driven by the last heartbeat, never by the socket's own state.
// SPDX-License-Identifier: MIT
import { html, lazy, useClock, useLive, useState } from '../lib/ui.js';
import { client } from '../lib/live.js';
import { duration } from '../lib/format.js';

const Path = lazy(() => import('./path.js'), 'Path');
const ICONS = { connected: '●', reconnecting: '◐', disconnected: '○', error: '▲' };

function number({ state, retryAt, lag }) {
  if (state === 'connected') return client.age === null ? '' : `${(Math.max(lag, 0) / 1000).toFixed(1)} s`;
  if (retryAt) return `retry in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s`;
  return client.age === null ? '' : `for ${duration(client.age / 1000)}`;
}

export function Badge() {
  useLive(['status'], 200);
  useClock(1000);
  const { status } = client, [open, setOpen] = useState(false);
  return html`
    <details class="badge" id="realtime" data-state=${status.state} onToggle=${event => setOpen(event.target.open)}>
      <summary><span aria-hidden="true">${ICONS[status.state]}</span> <span role="status">Realtime: ${status.state}</span> <small>${number(status)}</small></summary>
      ${open ? html`<${Path} status=${status}/>` : null}
    </details>`;
}
