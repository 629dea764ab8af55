// app.js - the fleet, live: what the stream tells goes into a map of workers, and a frame later
// only the rows that changed are painted. SPDX-License-Identifier: MIT
import { SseClient } from '/sse-client.js';

const EVENTS_SHOWN = 60;
const workers = new Map();   // the newest snapshot of each, by worker_id
const rows = new Map();      // its <tr>
const dirty = new Set();     // worker_ids to paint in the next frame
const told = [];             // event lines waiting for the next frame
const $ = id => document.getElementById(id);
let sort = { column: 0, up: true }, painting = false, order = true, heard = [];

const element = (name, className, ...children) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
};
const pill = text => element('span', `pill ${text}`, text);
const unknown = value => value ?? '–';
const load = value => {
  if (value === null || value === undefined) return ['–'];
  const meter = element('meter');
  Object.assign(meter, { min: 0, max: 100, low: 70, high: 90, optimum: 0, value });
  return [meter, `${value.toFixed(1)} %`];
};
const source = (name, worker) => {
  const dot = element('i', worker[`${name}_freshness`]);
  dot.title = `${name}: ${worker[`${name}_freshness`]}`;
  return dot;
};

// One row a column: heading, what to sort by, what to show.
const COLUMNS = [
  ['Name', w => w.name, w => [w.name, element('small', '', w.aws_instance_id)]],
  ['Region', w => w.region, w => [w.region, element('small', '', unknown(w.instance_type))]],
  ['Status', w => w.status, w => [pill(w.status)]],
  ['CML', w => w.service_status, w => [pill(w.service_status), element('small', '', w.cml_version ?? '')]],
  ['CPU', w => w.cpu_utilization ?? -1, w => load(w.cpu_utilization)],
  ['Memory', w => w.memory_utilization ?? -1, w => load(w.memory_utilization)],
  ['Disk', w => w.storage_utilization ?? -1, w => load(w.storage_utilization)],
  ['Labs', w => w.cml_labs_count ?? -1, w => [String(unknown(w.cml_labs_count))]],
  ['Licence', w => w.license_status ?? '', w => [unknown(w.license_status)]],
  ['E·C·M', w => w.ec2_freshness, w => ['ec2', 'cloudwatch', 'cml'].map(name => source(name, w))],
];

function rowOf(worker) {
  let row = rows.get(worker.worker_id);
  if (!row) {
    row = element('tr', '', ...COLUMNS.map(() => element('td')));
    row.dataset.instance = worker.aws_instance_id;
    rows.set(worker.worker_id, row);
  }
  return row;
}

function matches(worker) {
  const find = $('find').value.trim().toLowerCase(), status = $('status').value;
  const text = [worker.name, worker.region, worker.instance_type, worker.aws_instance_id, worker.public_ip, worker.status];
  return (!status || worker.status === status) && text.some(t => (t ?? '').toLowerCase().includes(find));
}

function paintRow(id) {
  const worker = workers.get(id), row = rowOf(worker), news = row.dataset.status && row.dataset.status !== worker.status;
  COLUMNS.forEach(([, , show], at) => row.cells[at].replaceChildren(...show(worker)));
  row.dataset.status = worker.status;
  row.classList.toggle('running-worker', worker.status === 'running');
  row.classList.toggle('resting', ['stopped', 'terminated'].includes(worker.status));
  if (news) { row.classList.remove('news'); void row.offsetWidth; row.classList.add('news'); }
}

function paintOrder() {
  const key = COLUMNS[sort.column][1], sign = sort.up ? 1 : -1;
  const shown = [...workers.values()].filter(matches).sort((a, b) =>
    (key(a) < key(b) ? -sign : key(a) > key(b) ? sign : a.name < b.name ? -1 : 1));
  const wanted = shown.map(rowOf), body = $('fleet');
  if (wanted.length !== body.rows.length || wanted.some((row, at) => body.rows[at] !== row)) body.replaceChildren(...wanted);
  $('shown').textContent = `${shown.length} of ${workers.size}`;
}

function paintTiles() {
  const all = [...workers.values()], running = all.filter(w => w.status === 'running');
  const cpus = running.map(w => w.cpu_utilization).filter(v => v !== null);
  const sick = running.filter(w => [w.ec2_freshness, w.cloudwatch_freshness, w.cml_freshness].some(f => f === 'stale' || f === 'error'));
  const tiles = [
    ['workers', all.length], ['running', running.length],
    ['CML available', running.filter(w => w.service_status === 'available').length],
    ['labs running', all.reduce((sum, w) => sum + (w.status === 'running' ? w.cml_labs_count ?? 0 : 0), 0)],
    ['mean CPU', cpus.length ? `${(cpus.reduce((a, b) => a + b) / cpus.length).toFixed(1)} %` : '–'],
    ['stale or failing', sick.length, sick.length > 0],
  ];
  $('tiles').replaceChildren(...tiles.map(([name, value, bad]) =>
    element('div', bad ? 'bad' : '', element('b', '', String(value)), element('span', '', name))));
  const statuses = [...new Set(all.map(w => w.status))].sort(), select = $('status');
  if (statuses.join() !== [...select.options].slice(1).map(o => o.value).join())
    select.replaceChildren(select.options[0], ...statuses.map(s => new Option(s, s, false, s === select.value)));
}

function paint() {
  painting = false;
  for (const id of dirty) paintRow(id);
  if (dirty.size || order) { paintOrder(); paintTiles(); }
  dirty.clear();
  order = false;
  if (told.length) {
    $('events').prepend(...told.splice(0).slice(-EVENTS_SHOWN).reverse());
    while ($('events').children.length > EVENTS_SHOWN) $('events').lastChild.remove();
  }
}

function soon() {
  if (!painting) { painting = true; (document.hidden ? setTimeout : requestAnimationFrame)(paint); }
}

function merge(id, fields) {
  const worker = workers.get(id);
  if (worker) { Object.assign(worker, fields); dirty.add(id); soon(); }
}

function tell(event, text) {
  const name = workers.get(event.data.worker_id)?.name ?? '';
  const time = element('time', '', new Date(event.time).toLocaleTimeString([], { hour12: false }));
  told.push(element('li', '', time, element('b', '', name), ` ${text}`));
  soon();
}

function forget(seen) {  // a full state names every worker there is: what it does not name is gone
  for (const id of [...workers.keys()]) if (!seen.has(id)) { workers.delete(id); rows.get(id)?.remove(); rows.delete(id); }
  order = true;
  soon();
}

let stating = null;
const HANDLERS = {
  'system.state.begin': () => { stating = new Set(); },
  'system.state.end': () => { if (stating) forget(stating); stating = null; },
  'worker.snapshot': e => {
    const { _reason, ...fields } = e.data;
    stating?.add(fields.worker_id);
    if (!workers.has(fields.worker_id)) workers.set(fields.worker_id, {});
    merge(fields.worker_id, fields);
  },
  'worker.created': e => tell(e, 'is new'),
  'worker.status.updated': e => { merge(e.data.worker_id, { status: e.data.new_status }); tell(e, `${e.data.old_status} → ${e.data.new_status}`); },
  'worker.service_status.updated': e => { merge(e.data.worker_id, { service_status: e.data.new_service_status }); tell(e, `CML ${e.data.new_service_status}`); },
  'worker.metrics.updated': e => merge(e.data.worker_id, e.data),
  'worker.details.updated': e => { merge(e.data.worker_id, e.data); tell(e, 'details changed'); },
  'worker.license.updated': e => { merge(e.data.worker_id, e.data); tell(e, `licence ${e.data.license_status}`); },
  'worker.freshness.changed': e => {
    merge(e.data.worker_id, { [`${e.data.metric_source}_freshness`]: e.data.new });
    if (e.data.new !== 'absent' && e.data.old !== 'absent') tell(e, `${e.data.metric_source} ${e.data.new}${e.data.reason ? `: ${e.data.reason}` : ''}`);
  },
  'worker.labs.updated': e => tell(e, `${e.data.labs_count} labs`),
  'worker.lab.state_changed': e => tell(e, `${e.data.element_type} ${e.data.element_id ?? e.data.lab_id} ${e.data.state ?? e.data.event}`),
  'worker.connected': e => tell(e, 'CML answers'),
  'worker.disconnected': e => tell(e, `CML does not answer${e.data.reason ? `: ${e.data.reason}` : ''}`),
  'worker.terminated': e => tell(e, 'terminated'),
  'collector.joined': e => tell(e, `collector ${e.data.collector_id} joined`),
  'collector.left': e => tell(e, `collector ${e.data.collector_id} left: ${e.data.reason}`),
  'connected': () => {}, 'heartbeat': () => {}, 'system.reset': () => {}, 'system.stats': () => {}, 'system.sse.shutdown': () => {},
};

COLUMNS.forEach(([name], at) => {
  const button = element('button', '', name), head = element('th', '', button);
  button.type = 'button';
  button.onclick = () => {
    sort = { column: at, up: sort.column === at ? !sort.up : true };
    [...$('heads').cells].forEach((cell, i) => cell.ariaSort = i === at ? (sort.up ? 'ascending' : 'descending') : null);
    order = true;
    soon();
  };
  $('heads').append(head);
});
$('find').form.onsubmit = e => e.preventDefault();
for (const id of ['find', 'status']) $(id).oninput = () => { order = true; soon(); };
setInterval(() => {
  const since = Date.now() - 10000;
  heard = heard.filter(t => t > since);
  $('rate').textContent = `${(heard.length / 10).toFixed(1)} a second`;
}, 1000);

// Resolves when somebody is logged in, or nobody has to; what cannot be asked now, the stream will tell.
async function admit() {
  for (;;) {
    const answer = await fetch('/api/session').catch(() => null);
    if (answer?.status !== 401) {
      const { user } = answer?.ok ? await answer.json() : {};
      $('account').firstElementChild.textContent = user ?? '';
      $('account').hidden = !user;
      return;
    }
    $('login').hidden = false;
    $('token').focus();
    await new Promise(done => { $('login').onsubmit = e => { e.preventDefault(); done(); }; });
    const login = await fetch('/api/session', { method: 'POST', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: $('token').value.trim() }) }).catch(() => null);
    $('refused').textContent = login?.ok ? '' : (await login?.json().catch(() => null))?.detail ?? 'the gateway does not answer';
    $('login').hidden = !!login?.ok;
    $('token').value = '';
  }
}
$('account').lastElementChild.onclick = async () => { await fetch('/api/session', { method: 'DELETE' }); location.reload(); };

const badge = $('realtime');
const client = new SseClient('/api/events/stream', { admit, onStatus: state => {
  if (badge.dataset.state !== state) { badge.dataset.state = state; badge.textContent = `Realtime: ${state}`; }
  document.body.classList.toggle('away', state !== 'connected');
} });
for (const [type, handle] of Object.entries(HANDLERS)) client.on(type, event => { heard.push(Date.now()); handle(event); });
