// app.js - the fleet, live: the client library keeps the workers, and a frame after a change only
// the rows that changed are painted. SPDX-License-Identifier: MIT
import { SseClient } from '/client/sse-client.js';

const EVENTS_SHOWN = 60;
const rows = new Map();      // its <tr>
const dirty = new Set();     // worker_ids to paint in the next frame
const told = [];             // event lines waiting for the next frame
const $ = id => document.getElementById(id);
const client = new SseClient('/api/events/stream', { login, name: 'dashboard' });
const { workers } = client;   // the newest of each, by worker_id
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

function tell(event, text) {
  const name = workers.get(event.data.worker_id)?.name ?? '';
  const time = element('time', '', new Date(event.time).toLocaleTimeString([], { hour12: false }));
  told.push(element('li', '', time, element('b', '', name), ` ${text}`));
  soon();
}

const TOLD = {
  'worker.created': () => 'is new',
  'worker.status.updated': d => `${d.old_status} → ${d.new_status}`,
  'worker.service_status.updated': d => `CML ${d.new_service_status}`,
  'worker.details.updated': () => 'details changed',
  'worker.license.updated': d => `licence ${d.license_status}`,
  'worker.freshness.changed': d => d.new !== 'absent' && d.old !== 'absent' && `${d.metric_source} ${d.new}${d.reason ? `: ${d.reason}` : ''}`,
  'worker.labs.updated': d => `${d.labs_count} labs`,
  'worker.lab.state_changed': d => `${d.element_type} ${d.element_id ?? d.lab_id} ${d.state ?? d.event}`,
  'worker.connected': () => 'CML answers',
  'worker.disconnected': d => `CML does not answer${d.reason ? `: ${d.reason}` : ''}`,
  'worker.terminated': () => 'terminated',
  'collector.joined': d => `collector ${d.collector_id} joined`,
  'collector.left': d => `collector ${d.collector_id} left: ${d.reason}`,
  'client.back': d => `back after ${d.seconds} s, ${d.changes} changes`,
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

// Resolves when somebody is logged in, here or in another tab.
async function login({ signal }) {
  $('login').hidden = false;
  $('token').focus();
  for (let refused = true; refused && !signal.aborted;) {
    await new Promise(done => {
      $('login').onsubmit = e => { e.preventDefault(); done(); };
      signal.addEventListener('abort', done);
    });
    if (signal.aborted) break;
    const answer = await fetch('/api/session', { method: 'POST', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: $('token').value.trim() }) }).catch(() => null);
    refused = !answer?.ok;
    $('refused').textContent = refused ? (await answer?.json().catch(() => null))?.detail ?? 'the gateway does not answer' : '';
    $('token').value = '';
  }
  $('login').hidden = true;
}
$('account').lastElementChild.onclick = async () => { await fetch('/api/session', { method: 'DELETE' }); client.forget(); };

const badge = $('realtime');
client.onStatus(({ state, message, notice, user }) => {
  if (badge.dataset.state !== state) { badge.dataset.state = state; badge.textContent = `Realtime: ${state}`; }
  badge.title = notice || message;
  document.body.classList.toggle('away', state !== 'connected');
  $('account').firstElementChild.textContent = user ?? '';
  $('account').hidden = !user;
});
client.onChange(changed => {
  for (const id of changed.workers) {
    if (workers.has(id)) dirty.add(id);
    else { rows.get(id)?.remove(); rows.delete(id); order = true; }
  }
  soon();
});
client.on('*', event => {
  heard.push(Date.now());
  const text = TOLD[event.type]?.(event.data);
  if (text) tell(event, text);
});
