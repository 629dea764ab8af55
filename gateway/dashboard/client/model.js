// model.js - what is known of workers and jobs, by id; pure: reads no clock, no socket, no document.
//
// A snapshot says all of a worker; the small events say a part, and are laid over it. Objects are replaced, never
// changed, so that `before !== after` tells a view what to paint. A whole state is laid over what is there: it changes
// what differs and takes away what it does not name, and nothing is ever empty in between.
// SPDX-License-Identifier: MIT
const FINISHED_KEPT = 200;
const FINISHED = new Set(['completed', 'failed', 'cancelled']);
const JOB_STATUS = { 'job.submitted': 'pending', 'job.assigned': 'assigned', 'job.progress': 'in_progress' };

// The fields of the snapshot that an event tells; null for one that tells none.
const PARTS = {
  'worker.snapshot': ({ _reason, ...worker }) => worker,
  'worker.created': ({ worker_id, name, region, status, instance_type, created_at }) =>
    ({ worker_id, id: worker_id, name, region, status, instance_type, created_at }),
  'worker.status.updated': e => ({ status: e.new_status, updated_at: e.updated_at }),
  'worker.service_status.updated': e =>
    ({ service_status: e.new_service_status, https_endpoint: e.https_endpoint, updated_at: e.updated_at }),
  'worker.metrics.updated': ({ worker_id, ...fields }) => fields,
  'worker.details.updated': ({ worker_id, ...fields }) => fields,
  'worker.activity.updated': ({ worker_id, ...fields }) => fields,
  'worker.license.updated': ({ worker_id, ...fields }) => fields,
  'worker.freshness.changed': e => ({ [`${e.metric_source}_freshness`]: e.new }),
  'worker.idle_detection.toggled': e => ({ is_idle_detection_enabled: e.is_enabled }),
  'worker.paused': e => ({ pause_reason: e.pause_reason, paused_by: e.paused_by, last_paused_at: e.paused_at,
    auto_pause_count: e.auto_pause_count, manual_pause_count: e.manual_pause_count }),
  'worker.resumed': e => ({ last_resumed_at: e.resumed_at, auto_resume_count: e.auto_resume_count,
    manual_resume_count: e.manual_resume_count }),
  'worker.terminated': e => ({ status: 'terminated', terminated_at: e.terminated_at }),
};

// b's keys have these values in a, too. Plain values first: most of what differs does so in a time. Loops, for this is half of
// what an event costs.
const isObject = value => typeof value === 'object' && value !== null;
function says(a, b) {
  let deep = false;
  for (const key in b) {
    if (a[key] === b[key]) continue;
    if (!isObject(a[key]) || !isObject(b[key])) return false;
    deep = true;
  }
  return !deep || Object.keys(b).every(key => a[key] === b[key] || JSON.stringify(a[key]) === JSON.stringify(b[key]));
}
const alike = (a, b) => says(a, b) && Object.keys(a).length === Object.keys(b).length;

export const noChange = () => ({ workers: new Set(), jobs: new Set(), stats: false, whole: false });

export class Model {
  workers = new Map();
  jobs = new Map();
  stats = null;

  // An event's type and data; what it changed goes into `changed`.
  apply(type, data, changed) {
    if (type === 'worker.metrics.batch') {
      for (const each of data.events) this.apply('worker.metrics.updated', each, changed);
    } else if (type === 'system.stats') {
      this.stats = data;
      changed.stats = true;
    } else if (type.startsWith('job.')) this.#job(type, data, changed);
    else if (PARTS[type]) this.#worker(type, data, changed);
  }

  #worker(type, data, changed) {
    const known = this.workers.get(data.worker_id);
    if (!known && type !== 'worker.snapshot' && type !== 'worker.created') return;  // its snapshot is on the way
    const part = PARTS[type](data), whole = type === 'worker.snapshot';
    if (known && (whole ? alike : says)(known, part)) return;
    this.workers.set(data.worker_id, whole ? part : { ...known, ...part });
    changed.workers.add(data.worker_id);
  }

  #job(type, { job_id, old_status, new_status, ...data }, changed) {
    const id = data.id ?? job_id, ended = type.slice(4);
    const status = data.status ?? new_status ?? JOB_STATUS[type] ?? (FINISHED.has(ended) ? ended : undefined);
    const next = { ...this.jobs.get(id), ...data, id, ...(status && { status }) };
    if (FINISHED.has(status)) this.jobs.delete(id);  // what has ended stands in the order of its end
    this.jobs.set(id, next);
    changed.jobs.add(id);
    if (FINISHED.has(status)) this.#forgetJobs(changed);
  }

  #forgetJobs(changed) {
    const ended = [...this.jobs].filter(([, job]) => FINISHED.has(job.status));
    for (const [id] of ended.slice(0, -FINISHED_KEPT)) {
      this.jobs.delete(id);
      changed.jobs.add(id);
    }
  }

  // Another model's whole content, laid over this one. Jobs that have ended are in no state of the stream's: they stay.
  replace({ workers, jobs, stats }, changed, keepsEnded = true) {
    for (const [id, worker] of workers) {
      const known = this.workers.get(id);
      if (!known || !alike(known, worker)) {
        this.workers.set(id, worker);
        changed.workers.add(id);
      }
    }
    for (const id of this.workers.keys()) {
      if (!workers.has(id)) { this.workers.delete(id); changed.workers.add(id); }
    }
    for (const [id, job] of jobs) {
      if (!this.jobs.has(id) || !alike(this.jobs.get(id), job)) { this.jobs.set(id, job); changed.jobs.add(id); }
    }
    for (const [id, job] of this.jobs) {
      if (!jobs.has(id) && !(keepsEnded && FINISHED.has(job.status))) { this.jobs.delete(id); changed.jobs.add(id); }
    }
    this.stats = stats ?? (keepsEnded ? this.stats : null);
    changed.stats = changed.whole = true;
  }
}
