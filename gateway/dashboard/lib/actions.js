// actions.js - what an operator may ask for, and what becomes of it: the answer is a job, which the stream follows.
// SPDX-License-Identifier: MIT
import { ask, jobs } from './live.js';
import { touch } from './ui.js';

/** What is done to a worker: path, words, whether it is asked twice, and for which status it makes sense. */
export const ACTIONS = [
  { name: 'refresh', path: 'refresh', label: 'refresh', when: w => w.status === 'running' },
  { name: 'labs', path: 'labs/refresh', label: 'refresh labs', when: w => w.status === 'running' },
  { name: 'pause', path: 'pause', label: 'pause', confirm: w => `Stop ${w.name}? Its labs stop, and whoever uses it loses the connection.`, when: w => w.status === 'running' },
  { name: 'resume', path: 'resume', label: 'resume', confirm: w => `Start ${w.name}? It costs money from then on.`, when: w => w.status === 'stopped' },
  { name: 'monitoring', path: 'detailed-monitoring', label: 'detailed monitoring', confirm: w => `Turn on detailed monitoring of ${w.name}? AWS bills each metric.`, when: w => w.status === 'running' && w.cloudwatch_detailed_monitoring_enabled === false },
];

/** Jobs that were asked for in this tab: their end is worth a word whatever the settings say. */
export const own = new Set();

const randomId = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');

export async function act(worker, action) {
  const job = await ask(`/api/workers/${worker.worker_id}/${action.path}`, { method: 'POST', headers: { 'Idempotency-Key': randomId() } });
  own.add(job.id);
  touch('jobs');
  return job;
}
export const cancel = id => ask(`/api/jobs/${id}`, { method: 'DELETE' });
export const acknowledge = id => ask(`/api/alerts/${id}/acknowledge`, { method: 'POST' });
export const setIdleDetection = (id, enabled) => ask(`/api/workers/${id}/idle-detection`, { method: 'PUT', body: { enabled } });

export const isOpen = job => ['pending', 'assigned', 'in_progress'].includes(job.status);
export const openJobsOf = id => [...jobs.values()].filter(job => job.worker_id === id && isOpen(job));
