// app.js - the fleet, live. SPDX-License-Identifier: MIT
import { SseClient } from '/sse-client.js';
const workers = new Map(), rows = new Map(), dirty = new Set();
const badge = document.querySelector('#realtime'), body = document.querySelector('#fleet');
const percent = v => v === null || v === undefined ? '–' : `${v.toFixed(1)} %`;
const columns = [w => w.name, w => w.region, w => w.instance_type ?? '–', w => w.status, w => w.service_status,
  w => percent(w.cpu_utilization), w => percent(w.memory_utilization), w => percent(w.storage_utilization),
  w => w.cml_labs_count ?? '–', w => w.cml_version ?? '–',
  w => [w.ec2_freshness, w.cloudwatch_freshness, w.cml_freshness].map(f => ({ fresh: '●', stale: '◌', error: '✕' })[f] ?? '–').join(' ')];
function rowOf(w) {
  let row = rows.get(w.worker_id);
  if (!row) {
    row = document.createElement('tr');
    columns.forEach(() => row.append(document.createElement('td')));
    row.dataset.instance = w.aws_instance_id;
    rows.set(w.worker_id, row);
    const after = [...rows.values()].filter(r => r !== row && r.dataset.name > w.name)[0];
    row.dataset.name = w.name;
    body.insertBefore(row, after ?? null);
  }
  return row;
}
function paint() {
  for (const id of dirty) {
    const w = workers.get(id), row = rowOf(w);
    row.dataset.status = w.status;
    columns.forEach((text, i) => { const t = String(text(w)); if (row.cells[i].textContent !== t) row.cells[i].textContent = t; });
  }
  dirty.clear();
  const all = [...workers.values()];
  document.querySelector('#counters').textContent =
    `${all.length} workers, ${all.filter(w => w.status === 'running').length} running`;
}
function merge(id, fields) {
  const w = workers.get(id);
  if (!w) return;
  Object.assign(w, fields);
  if (dirty.size === 0) requestAnimationFrame(paint);
  dirty.add(id);
}
const client = new SseClient('/api/events/stream', { onStatus: state => {
  if (badge.dataset.state !== state) { badge.dataset.state = state; badge.textContent = `Realtime: ${state}`; }
  document.body.classList.toggle('away', state !== 'connected');
} });
client.on('worker.snapshot', e => {
  if (!workers.has(e.data.worker_id)) workers.set(e.data.worker_id, {});
  merge(e.data.worker_id, e.data);
});
for (const type of ['worker.metrics.updated', 'worker.details.updated'])
  client.on(type, e => merge(e.data.worker_id, e.data));
client.on('worker.status.updated', e => merge(e.data.worker_id, { status: e.data.new_status }));
client.on('worker.service_status.updated', e => merge(e.data.worker_id, { service_status: e.data.new_service_status }));
client.on('worker.freshness.changed', e => merge(e.data.worker_id, { [`${e.data.metric_source}_freshness`]: e.data.new }));
for (const type of ['connected', 'heartbeat', 'system.state.begin', 'system.state.end', 'system.reset', 'system.stats']) client.on(type, () => {});
