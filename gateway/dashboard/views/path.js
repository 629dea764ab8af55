// path.js - the way of an event, from the collectors to this page, and how it is. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
import { client } from '../lib/live.js';
import { count, duration, plural } from '../lib/format.js';
import { timeOfDay } from '../lib/clock.js';

export function Path({ status }) {
  const { counters } = status, collectors = client.stats?.collectors ?? [];
  const alive = status.state === 'connected';
  return html`<div class="pop" role="group" aria-label="The way of an event">
    <dl class="path">
      <dt>browser → gateway</dt><dd>${alive ? `heartbeat ${duration((client.age ?? 0) / 1000)} ago, ${status.lag} ms on its way` : status.message || status.reason || status.state}</dd>
      <dt>gateway → aggregator</dt><dd>${status.position ? `at event ${status.position.split('-')[1]} of ${status.epoch}` : 'not heard yet'}</dd>
      <dt>collectors</dt><dd>${collectors.map(({ collector_id: id, units, lost }) => html`<div>${id.replace('/collector/', '')}: heard${units === null ? '' : `, reads ${count(units)}`}, ${plural(lost, 'message')} lost</div>`)}${collectors.length ? null : 'none has been heard'}</dd>
      <dt>tabs on this stream</dt><dd>${status.shared ? plural(status.tabs, 'tab') : 'a stream of its own'}</dd>
      <dt>missed · replayed · repaired</dt><dd>${count(counters.missed)} · ${count(counters.replayed)} · ${count(counters.repaired)}</dd>
      <dt>reconnects</dt><dd>${count(counters.reconnects)}</dd>
      <dt>server clock</dt><dd>${Math.abs(status.offset) < 500 ? 'as ours' : `${duration(Math.abs(status.offset) / 1000)} ${status.offset > 0 ? 'ahead' : 'behind'}`}, ${timeOfDay(client.now())}</dd>
    </dl>
    <p><button type="button" onClick=${() => client.reconnect()}>reconnect now</button>
       <button type="button" onClick=${() => client.resync()}>take the whole state</button></p></div>`;
}
