// fleet.js - what the fleet view asks of workers: which there are to see, in what order, in which words. Pure.
// SPDX-License-Identifier: MIT

const IDLE_MS = 60 * 60 * 1000;
const FRESHNESS = ['ec2_freshness', 'cloudwatch_freshness', 'cml_freshness'];

export const isRunning = w => w.status === 'running';
export const isStopped = w => w.status === 'stopped' || w.status === 'stopping' || w.status === 'terminated';
export const isStale = w => isRunning(w) && FRESHNESS.some(name => w[name] === 'stale' || w[name] === 'error');
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

/** What a column sorts by, where it is no field itself; what nobody knows stands last, whichever way. */
const KEYS = {
  region: w => `${w.region} ${w.instance_type ?? ''}`, idle: idleSince,
  freshness: w => FRESHNESS.map(name => ({ error: 0, stale: 1, absent: 3 })[w[name]] ?? 2).join(''),
};
const FIELDS = { status: 'status', service: 'service_status', cpu: 'cpu_utilization', memory: 'memory_utilization', disk: 'storage_utilization', labs: 'cml_labs_count', cost: 'hourly_cost', event: 'updated_at' };
const keyOf = sort => KEYS[sort] ?? (FIELDS[sort] ? w => w[FIELDS[sort]] : w => low(w.name));

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0), isUnknown = key => key === null || key === undefined;
const byKey = direction => (a, b) => (isUnknown(a.key) || isUnknown(b.key) ? isUnknown(a.key) - isUnknown(b.key) : direction * compare(a.key, b.key))
  || compare(a.name, b.name) || compare(a.worker.worker_id, b.worker.worker_id);

/**
 * The workers that fit a filter, in its order, and the fleet in numbers. A worker that changed is another object: only such
 * ones are looked at again, and sorted only when what they are sorted by is another. What hangs on the time is so each minute.
 */
export class Listing {
  list = []; counts = null; regions = []; statuses = [];
  #known = new Map(); #sorted = []; #asked = '';

  look(workers, filter, { now, alerted }) {
    const asked = JSON.stringify([filter, Math.floor(now / 60_000), [...alerted]]), context = { now, alerted };
    const key = keyOf(filter.sort.replace(/^-/, ''));
    let moved = asked !== this.#asked, differs = moved, gone = this.#known.size;
    for (const [id, worker] of workers) {
      const known = this.#known.get(id);
      if (known) gone--;
      if (known?.worker === worker && asked === this.#asked) continue;
      const next = { worker, key: key(worker), name: low(worker.name), fits: matches(worker, filter, context), groups: Object.keys(GROUPS).filter(name => GROUPS[name](worker, context)) };
      differs = true;
      if (known) {
        moved ||= known.key !== next.key || known.name !== next.name;
        Object.assign(known, next);
      } else {
        moved = true;
        this.#known.set(id, next);
        this.#sorted.push(next);
      }
    }
    this.#asked = asked;
    if (gone) {
      for (const id of this.#known.keys()) if (!workers.has(id)) this.#known.delete(id);
      this.#sorted = [...this.#known.values()];
      moved = differs = true;
    }
    if (moved) this.#sorted.sort(byKey(filter.sort.startsWith('-') ? -1 : 1));
    if (differs) this.#sum();
    return this;
  }

  #sum() {
    const counts = { all: this.#sorted.length, cost: 0, ...Object.fromEntries(Object.keys(GROUPS).map(name => [name, 0])) }, regions = new Set(), statuses = new Set();
    this.list = [];
    for (const { worker, fits, groups } of this.#sorted) {
      if (fits) this.list.push(worker);
      for (const name of groups) counts[name]++;
      if (worker.hourly_cost && groups.includes('idle')) counts.cost += worker.hourly_cost;
      regions.add(worker.region);
      statuses.add(worker.status);
    }
    Object.assign(this, { counts, regions: [...regions].sort(), statuses: [...statuses].sort() });
  }
}

/** The order that is shown stays while somebody points at it: those that left go, new ones stand at the end. */
export function hold(shown, wanted) {
  const byId = new Map(wanted.map(worker => [worker.worker_id, worker]));
  const kept = shown.filter(id => byId.has(id)).map(id => byId.get(id));
  const had = new Set(shown);
  return [...kept, ...wanted.filter(worker => !had.has(worker.worker_id))];
}
