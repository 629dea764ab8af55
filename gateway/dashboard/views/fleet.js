// fleet.js - all workers, in a table of which only the rows in sight are in the document: 10,000 cost what 40 do.
// A row in sight is painted in the frame after its worker changed; which rows there are, and their order, is worked out
// a few times a second, seldomer the longer it takes. Filters, order and search stand in the address.
// SPDX-License-Identifier: MIT
import { Component, html, lazy, listen, useEffect, useLayoutEffect, useLive, useRef, useState } from '../lib/ui.js';
import { activeAlerts, client, lastEvents, sparks, workers } from '../lib/live.js';
import { go, narrow, route } from '../lib/route.js';
import { ago, count as number, DASH, dollars, duration, plural, text } from '../lib/format.js';
import { filterOf, hold, idleSince, Listing } from '../lib/fleet.js';
import { Freshness, Load, Word } from './cells.js';

const ROW = 34, CARD = 150, OVERSCAN = 6, NARROW = '(max-width: 700px)';

// name of the sort key, heading, what stands in the cell, and the fields that are compared to mark what has changed.
const COLUMNS = [
  ['name', 'Name', w => html`<a href=${`#/worker/${w.worker_id}`} tabindex="-1">${w.name}</a> <small>${w.aws_instance_id}</small>`, 'name'],
  ['region', 'Region, type', w => html`${w.region} <small>${text(w.instance_type)}</small>`, 'region'],
  ['status', 'Status', w => html`<${Word} value=${w.status}/>`, 'status'],
  ['service', 'CML', w => html`<${Word} value=${w.service_status} quiet=${w.status !== 'running'}/>`, 'service_status'],
  ['cpu', 'CPU', w => html`<${Load} value=${w.cpu_utilization} values=${sparks.get(w.worker_id)} name="CPU"/>`, 'cpu_utilization'],
  ['memory', 'Memory', w => html`<${Load} value=${w.memory_utilization}/>`, 'memory_utilization'],
  ['disk', 'Disk', w => html`<${Load} value=${w.storage_utilization}/>`, 'storage_utilization'],
  ['labs', 'Labs', w => number(w.cml_labs_count), 'cml_labs_count'],
  ['idle', 'Idle', w => { const since = idleSince(w); return since === null ? DASH : duration((client.now() - since) / 1000); }],
  ['cost', '$ / h', w => dollars(w.hourly_cost), 'hourly_cost'],
  ['freshness', 'E·W·C', w => html`<${Freshness} worker=${w}/>`, 'ec2_freshness', 'cloudwatch_freshness', 'cml_freshness'],
  ['event', 'Last event', w => { const e = lastEvents.get(w.worker_id); return e ? html`${e.type.replace('worker.', '')} <small>${ago(e.time, client.now())}</small>` : DASH; }],
];

//  Marks go several at once. As animations each would end in a frame of its own: that was a third of what the page cost.
const MARK_MS = 1200, SWEEP_MS = 300, marked = new Map(); // row -> since when, oldest first
let sweeping = 0;
function sweep() {
  sweeping = 0;
  for (const [row, since] of marked) {
    if (performance.now() - since < MARK_MS) break;
    row.base?.removeAttribute('data-changed');
    marked.delete(row);
  }
  if (marked.size) sweepSoon();
}
const sweepSoon = () => { sweeping ||= setTimeout(() => requestAnimationFrame(sweep), SWEEP_MS); };

class Row extends Component {
  componentDidMount() { this.off = listen(this.props.worker.worker_id, () => this.setState({})); }
  componentWillUnmount() { this.off(); marked.delete(this); }
  now(props) { return workers.get(props.worker.worker_id) ?? props.worker; }
  shouldComponentUpdate(next) {
    const { at, active, minute } = this.props;
    return this.now(next) !== this.shown || lastEvents.get(next.worker.worker_id) !== this.event || next.at !== at || next.active !== active || next.minute !== minute;
  }
  render(props) {
    const { at, active } = props, worker = this.now(props);
    this.event = lastEvents.get(worker.worker_id);
    const before = this.shown;
    const changed = COLUMNS.map(([, , , ...fields]) => before && fields.some(field => before[field] !== worker[field]));
    this.shown = worker;
    marked.delete(this);
    if (changed.includes(true)) {
      marked.set(this, performance.now());
      this.turn = (this.turn ?? 0) + 1; // another value each time, for the last one may have been swept away
      sweepSoon();
    }
    return html`<tr role="row" aria-rowindex=${at + 2} id=${`row-${worker.worker_id}`} tabindex=${active ? 0 : -1} data-id=${worker.worker_id}
        data-instance=${worker.aws_instance_id} data-status=${worker.status} data-changed=${marked.has(this) ? this.turn : null} class=${worker.status === 'running' ? '' : 'resting'}>
      ${COLUMNS.map(([name, heading, show], i) => html`<td role=${i ? 'cell' : 'rowheader'} data-label=${heading} class=${`${name}${changed[i] ? ' changed' : ''}`}>${show(worker)}</td>`)}</tr>`;
  }
}

const Export = lazy(() => import('./export.js'), 'Export');

const TILES = [['', 'all', 'workers'], ['running', 'running', 'running'], ['attention', 'attention', 'need attention'], ['stale', 'stale', 'stale'], ['stopped', 'stopped', 'stopped'], ['idle', 'idle', 'idle']];

function Tiles({ counts, group }) {
  return html`<div id="tiles" role="group" aria-label="The fleet in numbers; each is a filter">${TILES.map(([key, name, words]) => html`
    <button type="button" aria-pressed=${(group ?? '') === key} class=${`tile ${name}${name === 'attention' && counts.attention ? ' bad' : ''}`} onClick=${() => narrow({ group: group === key ? null : key })}>
      <b>${number(counts[name])}</b> ${words}${name === 'idle' && counts.cost ? html` <small>${dollars(counts.cost)} / h</small>` : null}</button>`)}</div>`;
}

const Choice = ({ name, label, values, query }) => html`<label>${label} <select id=${name} onChange=${e => narrow({ [name]: e.target.value })}>
  <option value="">all</option>${values.map(value => html`<option value=${value} selected=${query.get(name) === value}>${value}</option>`)}</select></label>`;

/** Which rows are in sight. */
function useWindow(box, total, height) {
  const [range, setRange] = useState([0, 40]);
  useLayoutEffect(() => {
    const look = () => {
      const { top } = box.current.getBoundingClientRect();
      const first = Math.max(0, Math.floor(-top / height) - OVERSCAN), seen = Math.ceil(innerHeight / height) + 2 * OVERSCAN;
      setRange(([a, b]) => (a === first && b === first + seen ? [a, b] : [first, first + seen]));
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => { removeEventListener('scroll', look); removeEventListener('resize', look); };
  }, [height]);
  return [Math.min(range[0], Math.max(0, total - 1)), Math.min(range[1], total)];
}

function useMedia(query) {
  const [is, set] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query), hear = () => set(media.matches);
    media.addEventListener('change', hear);
    return () => media.removeEventListener('change', hear);
  }, []);
  return is;
}

/** The order that is shown stays while somebody points at it or stands in it. */
function useOrder(wanted, sort) {
  const kept = useRef({ sort, ids: [] }), held = useRef(false);
  const still = held.current && kept.current.sort === sort;
  const list = still ? hold(kept.current.ids, wanted) : wanted;
  kept.current = { sort, ids: list.map(w => w.worker_id) };
  return [list, { onPointerEnter: () => { held.current = true; }, onPointerLeave: () => { held.current = false; },
    onFocusIn: () => { held.current = true; }, onFocusOut: () => { held.current = false; } }];
}

export function Fleet() {
  useLive(['route', 'settings']);
  const cost = useRef(0), [listing] = useState(() => new Listing());
  useLive(['workers', 'alerts'], () => Math.max(200, 20 * cost.current));
  const began = performance.now();
  const { query } = route(), filter = filterOf(query), now = client.now(), minute = Math.floor(now / 60000);
  const alerted = new Set(activeAlerts().filter(a => a.severity !== 'info' && a.worker_id).map(a => a.worker_id));
  const { list: wanted, counts, regions, statuses } = listing.look(workers, filter, { now, alerted });
  const [list, holding] = useOrder(wanted, filter.sort + query);
  cost.current = performance.now() - began;
  const box = useRef(), [active, setActive] = useState(null), [exporting, setExporting] = useState(false), cards = useMedia(NARROW), height = cards ? CARD : ROW;
  const [from, to] = useWindow(box, list.length, height);
  const at = list.findIndex(w => w.worker_id === active), first = at < 0 ? from : at;

  const move = to => {
    const worker = list[Math.max(0, Math.min(list.length - 1, to))];
    if (!worker) return;
    setActive(worker.worker_id);
    const top = box.current.getBoundingClientRect().top + scrollY + list.indexOf(worker) * height;
    if (top < scrollY + 120) scrollTo(0, top - 120);
    if (top + height > scrollY + innerHeight) scrollTo(0, top + height - innerHeight + 20);
    requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(`row-${worker.worker_id}`)?.focus({ preventScroll: true })));
  };
  const onKey = event => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9 }[event.key];
    if (step) { event.preventDefault(); move(first + step); }
    if (event.key === 'Enter' && event.target.dataset.id) go('worker', event.target.dataset.id);
  };
  const onClick = event => {
    const row = event.target.closest('tr[data-id]');
    if (row && !getSelection().toString() && !event.target.closest('a')) go('worker', row.dataset.id);
  };
  const sortBy = name => narrow({ sort: filter.sort === name ? `-${name}` : name });

  return html`
    <${Tiles} counts=${counts} group=${filter.group}/>
    <section id="workers" aria-label="Workers">
      <div class="filters">
        <${Choice} name="region" label="Region" values=${regions} query=${query}/><${Choice} name="status" label="Status" values=${statuses} query=${query}/>
        <label>Tag <input id="tag" value=${query.get('tag') ?? ''} placeholder="key=value" onInput=${e => narrow({ tag: e.target.value })}/></label>
        <span id="shown" role="status">${list.length === workers.size ? plural(workers.size, 'worker') : `${number(list.length)} of ${plural(workers.size, 'worker')}`}</span>
        <details class="export" onToggle=${event => setExporting(event.target.open)}><summary>export</summary>${exporting ? html`<${Export} list=${list} filter=${filter}/>` : null}</details>
      </div>
      <table role="table" aria-rowcount=${list.length + 1} class=${cards ? 'cards' : ''} onKeyDown=${onKey} onClick=${onClick} ...${holding}>
        <thead role="rowgroup"><tr role="row">${COLUMNS.map(([name, heading]) => html`<th role="columnheader" class=${name}
          aria-sort=${filter.sort === name ? 'ascending' : filter.sort === `-${name}` ? 'descending' : 'none'}><button type="button" onClick=${() => sortBy(name)}>${heading}</button></th>`)}</tr></thead>
        <tbody role="rowgroup" id="fleet" ref=${box}>
          ${from > 0 ? html`<tr aria-hidden="true" class="space" style=${{ height: `${from * height}px` }}></tr>` : null}
          ${list.slice(from, to).map((worker, i) => html`<${Row} key=${worker.worker_id} worker=${worker} at=${from + i} minute=${minute}
            active=${from + i === first}/>`)}
          ${to < list.length ? html`<tr aria-hidden="true" class="space" style=${{ height: `${(list.length - to) * height}px` }}></tr>` : null}
        </tbody>
      </table>
      ${list.length ? null : html`<p class="empty">${!client.status.synced ? 'Waiting for the fleet…' : workers.size ? 'No worker fits these filters.' : 'No workers yet: a collector tells of them when it has found some.'}</p>`}
    </section>`;
}
