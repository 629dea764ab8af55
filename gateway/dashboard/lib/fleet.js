// fleet.js - what the fleet view asks of workers: which there are to see, in what order, in which words. Pure.
// SPDX-License-Identifier: MIT

const IDLE_MS = 60 * 60 * 1000;
const SOURCES = ['ec2', 'cloudwatch', 'cml'];

export const isRunning = w => w.status === 'running';
export const isStopped = w => w.status === 'stopped' || w.status === 'stopping' || w.status === 'terminated';
export const isStale = w => isRunning(w) && SOURCES.some(s => w[`${s}_freshness`] === 'stale' || w[`${s}_freshness`] === 'error');
/** Since when nobody has used it, ms; null: it is used, or nobody knows. */
export function idleSince(w) {
  if (!isRunning(w) || w.cml_labs_count !== 0) return null;
  const since = w.last_activity_at ?? w.last_resumed_at ?? w.created_at;
  return since ? Date.parse(since) : null;
}
export const isIdle = (w, now) => { const since = idleSince(w); return since !== null && now - since >= IDLE_MS; };
export const needsAttention = (w, alerted) => w.status === 'failed' || alerted.has(w.worker_id)
  || (isRunning(w) && (w.service_status === 'unavailable' || w.service_status === 'error' || w.ec2_system_status_check === 'impaired'));

/** The counters that are filters: name -> what it is true for. */
export const GROUPS = {
  running: (w) => isRunning(w),
  attention: (w, { alerted }) => needsAttention(w, alerted),
  stale: (w) => isStale(w),
  stopped: (w) => isStopped(w),
  idle: (w, { now }) => isIdle(w, now),
};

export function count(workers, context) {
  const counts = { all: 0, cost: 0, ...Object.fromEntries(Object.keys(GROUPS).map(name => [name, 0])) };
  for (const worker of workers.values()) {
    counts.all++;
    for (const name in GROUPS) if (GROUPS[name](worker, context)) counts[name]++;
    if (GROUPS.idle(worker, context) && worker.hourly_cost) counts.cost += worker.hourly_cost;
  }
  return counts;
}

const low = value => (value ?? '').toString().toLowerCase();

/** `name`, `region:us-east-1 tag:team=red running`: words that all must be found; a word with a colon says where. */
function wordMatches(worker, word) {
  const [, field, value] = /^(\w+):(.*)$/.exec(word) ?? [null, null, word];
  if (field === 'tag') {
    const [key, wanted] = value.split('=');
    return Object.entries(worker.aws_tags ?? {}).some(([k, v]) => low(k) === key && (wanted === undefined || low(v).includes(wanted)));
  }
  if (field && field in worker) return low(worker[field]).includes(value);
  return [worker.name, worker.region, worker.instance_type, worker.aws_instance_id, worker.public_ip, worker.private_ip, worker.status, worker.service_status, worker.cml_version]
    .some(text => low(text).includes(word));
}

export function filterOf(query) {
  return {
    words: low(query.get('q')).split(/\s+/).filter(Boolean),
    group: query.get('group'),
    region: query.get('region'),
    status: query.get('status'),
    tag: query.get('tag'),
    sort: query.get('sort') ?? 'name',
  };
}

export function matches(worker, filter, context) {
  return (!filter.region || worker.region === filter.region)
    && (!filter.status || worker.status === filter.status)
    && (!filter.group || (GROUPS[filter.group]?.(worker, context) ?? true))
    && (!filter.tag || wordMatches(worker, `tag:${low(filter.tag)}`))
    && filter.words.every(word => wordMatches(worker, word));
}

/** What a column sorts by; what nobody knows stands last, whichever way. */
export const KEYS = {
  name: w => low(w.name), region: w => `${w.region} ${w.instance_type ?? ''}`, status: w => w.status, service: w => w.service_status,
  cpu: w => w.cpu_utilization, memory: w => w.memory_utilization, disk: w => w.storage_utilization, labs: w => w.cml_labs_count,
  idle: w => idleSince(w), cost: w => w.hourly_cost ?? null, freshness: w => SOURCES.map(s => ({ error: 0, stale: 1, absent: 3 })[w[`${s}_freshness`]] ?? 2).join(''),
  event: w => w.updated_at,
};

export function order(list, sort) {
  const down = sort.startsWith('-'), key = KEYS[sort.replace(/^-/, '')] ?? KEYS.name;
  const keyed = list.map(worker => [key(worker), worker]);
  keyed.sort(([a, x], [b, y]) => {
    if (a === b) return low(x.name) < low(y.name) ? -1 : low(x.name) > low(y.name) ? 1 : x.worker_id < y.worker_id ? -1 : 1;
    if (a === null || a === undefined) return 1;
    if (b === null || b === undefined) return -1;
    return (a < b ? -1 : 1) * (down ? -1 : 1);
  });
  return keyed.map(([, worker]) => worker);
}

/** The order that is shown stays while somebody points at it: those that left go, new ones stand at the end. */
export function hold(shown, wanted) {
  const byId = new Map(wanted.map(worker => [worker.worker_id, worker]));
  const kept = shown.filter(id => byId.has(id)).map(id => byId.get(id));
  const had = new Set(shown);
  return [...kept, ...wanted.filter(worker => !had.has(worker.worker_id))];
}
