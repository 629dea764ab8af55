// notices.js - what is worth a word in the corner, in which words, and how many at once. Pure.
// SPDX-License-Identifier: MIT

const SHOWN_MAX = 3, STAYS_MS = 8000;
export const FLOOD = 12, FLOOD_MS = 2000;

const KINDS = {
  'worker.created': ['life', d => `${d.name} appeared`], 'worker.terminated': ['life', d => `${d.name} is gone`], 'worker.paused': ['life', (d, n) => `${n} paused (${d.pause_reason})`],
  'worker.resumed': ['life', (d, n) => `${n} resumed (${d.resume_reason})`], 'worker.disconnected': ['critical', (d, n) => `${n}: its CML does not answer`], 'worker.connected': ['life', (d, n) => `${n}: its CML answers`],
  'alert.raised': ['alert', d => d.message], 'job.failed': ['critical', (d, n) => `${d.job_type} failed${n ? ` on ${n}` : ''}: ${d.error}`], 'job.completed': ['own', (d, n) => `${d.job_type} done${n ? ` on ${n}` : ''}`],
};

/** Whether it is worth a word, by what this browser wants: `critical` (and one's own), `all` or `none`. */
export function wanted(event, level, mine) {
  const [kind] = KINDS[event.type] ?? [];
  if (!kind || level === 'none') return false;
  const isMine = mine.has(event.data.job_id);
  if (kind === 'own') return isMine;
  return level === 'all' || isMine || kind === 'critical' || (kind === 'alert' && event.data.severity === 'critical');
}
/** In words; `name` is the worker's. */
export const say = (event, name) => KINDS[event.type][1](event.data, name);

/** One more into those that are shown: the same kind is counted, the oldest makes room. */
export function merge(shown, event, text, now) {
  const same = shown.find(each => each.type === event.type);
  if (same) return shown.map(each => (each === same ? { ...each, count: each.count + 1, text, until: now + STAYS_MS, worker: event.data.worker_id } : each));
  return [...shown.slice(-(SHOWN_MAX - 1)), { type: event.type, text, count: 1, until: now + STAYS_MS, worker: event.data.worker_id }];
}

/** So many at once are one line. */
export const flood = (number, now) => [{ type: 'flood', text: `${number} things happened within two seconds; see Events`, count: 1, until: now + STAYS_MS }];
