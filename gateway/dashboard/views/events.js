// events.js - what has happened, the newest first. While somebody reads further down nothing moves: what is new waits
// behind a button. SPDX-License-Identifier: MIT
import { html, useEffect, useLive, useRef, useState } from '../lib/ui.js';
import { ask, client, log, workers } from '../lib/live.js';
import { narrow, route } from '../lib/route.js';
import { plural } from '../lib/format.js';
import { save } from './export.js';
import { EventLine, words } from './parts.js';

const PAGE = 150;
const KINDS = [['', 'all'], ['worker', 'workers'], ['job', 'jobs'], ['alert', 'alerts'], ['collector', 'collectors'], ['metrics', 'only metrics']];

function fits(event, kind, find) {
  const isMetrics = event.type === 'worker.metrics.updated';
  if (kind === 'metrics' ? !isMetrics : isMetrics || (kind && !event.type.startsWith(`${kind}.`) && !event.type.startsWith('client.'))) return false;
  if (!find) return true;
  const name = workers.get(event.data?.worker_id)?.name ?? '';
  return `${event.type} ${name} ${words(event)} ${event.data?.worker_id ?? ''}`.toLowerCase().includes(find);
}

/** One that is not in the log any more, or was before this page: the gateway may have it. */
function useOne(id) {
  const [event, set] = useState(null);
  useEffect(() => {
    if (!id) { set(null); return; }
    const known = log.events.find(each => each.id === id);
    if (known) { set(known); return; }
    const [epoch, seq] = id.split('-');
    ask(`/api/events?after=${epoch}-${seq - 1}&limit=1`).then(({ events: [found] }) => set(found ? { ...found, id } : { missing: 'the gateway holds no such event' }), error => set({ missing: error.message }));
  }, [id]);
  return event;
}

export function Events() {
  useLive(['route', 'settings']);
  useLive(['events'], 250);
  const { query } = route(), kind = query.get('kind') ?? '', find = (query.get('q') ?? '').toLowerCase(), one = useOne(query.get('id'));
  const [limit, setLimit] = useState(PAGE), top = useRef(0), [reading, setReading] = useState(false);
  useEffect(() => {
    const look = () => setReading(scrollY > 80);
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  const all = log.events.filter(event => fits(event, kind, find)), total = log.dropped + log.events.length;
  if (!reading) top.current = total;
  const fresh = all.filter((_, i) => i >= all.length - (total - top.current)).length && total - top.current;
  const shown = (reading ? log.events.slice(0, Math.max(0, log.events.length - (total - top.current))).filter(event => fits(event, kind, find)) : all).slice(-limit).reverse();
  return html`<section aria-label="Events">
    <div class="filters"><label>Kind <select onChange=${e => narrow({ kind: e.target.value })}>${KINDS.map(([value, name]) => html`<option value=${value} selected=${value === kind}>${name}</option>`)}</select></label>
      <button type="button" aria-pressed=${client.status.paused} onClick=${() => (client.status.paused ? client.resume() : client.pause())}>${client.status.paused ? `go on (${client.status.waiting} waiting)` : 'pause'}</button>
      <button type="button" onClick=${() => save('events.ndjson', 'application/x-ndjson', `${all.map(event => JSON.stringify(event)).join('\n')}\n`)}>NDJSON</button>
      <span id="shown" role="status">${plural(all.length, 'event')}${log.dropped ? `, ${log.dropped} older ones let go` : ''}</span></div>
    ${fresh > 0 && reading ? html`<p class="new waits"><button type="button" onClick=${() => scrollTo(0, 0)}>${fresh} new</button></p>` : null}
    ${one ? html`<ol class="events one">${one.missing ? html`<li>${query.get('id')}: ${one.missing}</li>` : html`<${EventLine} event=${one} open=${true}/>`}</ol>` : null}
    <ol class="events" id="events">${shown.map(event => html`<${EventLine} key=${event.id || event.time + event.type} event=${event}/>`)}</ol>
    ${shown.length ? null : html`<p class="empty">Nothing yet: events show here as they happen.</p>`}
    ${all.length > limit ? html`<p class="new"><button type="button" onClick=${() => setLimit(limit + PAGE)}>older</button></p>` : null}</section>`;
}
