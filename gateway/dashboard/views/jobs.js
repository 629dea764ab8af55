// jobs.js - what was asked for: how much of it, how long it takes, and each job as it goes.
// SPDX-License-Identifier: MIT
import { html, useClock, useEffect, useLive, useState } from '../lib/ui.js';
import { ask, client, jobs, mayCommand } from '../lib/live.js';
import { cancel, isOpen } from '../lib/actions.js';
import { narrow, route } from '../lib/route.js';
import { count, duration, text } from '../lib/format.js';
import { Confirm, Progress, When, WorkerLink, Word } from './parts.js';

const SHOWN = 200;
const ended = job => job.completed_at ?? job.failed_at ?? job.cancelled_at;
const took = job => (ended(job) && job.started_at ? (Date.parse(ended(job)) - Date.parse(job.started_at)) / 1000 : null);
/** Short ones are told apart too. */
const tookWords = seconds => (seconds !== null && seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds));
const RANK = { in_progress: 0, assigned: 1, pending: 2 };

function quantile(sorted, q) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : null;
}

export function Jobs() {
  useLive(['jobs', 'route', 'stats', 'session', 'settings'], 200);
  useClock(1000);
  const [past, setPast] = useState([]), [fault, setFault] = useState(null), [asked, askFor] = useState(null);
  useEffect(() => {
    const load = () => ask('/api/jobs?limit=200').then(({ jobs: list }) => { setPast(list); setFault(null); }, error => setFault(error.message));
    load();
    return client.onChange(change => { if (change.whole) load(); });
  }, []);
  const byId = new Map(past.map(job => [job.id, job]));
  for (const [id, job] of jobs) byId.set(id, job);
  const all = [...byId.values()], { query } = route(), status = query.get('status') ?? '', type = query.get('type') ?? '', find = (query.get('q') ?? '').toLowerCase();
  const list = all.filter(job => (!status || job.status === status) && (!type || job.job_type === type) && (!find || JSON.stringify(job).toLowerCase().includes(find)))
    .sort((a, b) => (RANK[a.status] ?? 9) - (RANK[b.status] ?? 9) || (isOpen(a) ? b.priority - a.priority : 0) || (a.created_at < b.created_at ? 1 : -1));
  const times = all.map(took).filter(seconds => seconds !== null).sort((a, b) => a - b), stats = client.stats ?? {};
  const tile = (words, value, filter) => html`<button type="button" class="tile" aria-pressed=${status === filter} onClick=${() => narrow({ status: status === filter ? null : filter })}><b>${value}</b> ${words}</button>`;
  return html`
    <div id="tiles" role="group" aria-label="Jobs in numbers">
      ${tile('pending', count(stats.pending_jobs), 'pending')}${tile('active', count(stats.active_jobs), 'in_progress')}${tile('completed', count(stats.completed_jobs), 'completed')}${tile('failed', count(stats.failed_jobs), 'failed')}
      <div class="tile"><b>${tookWords(quantile(times, 0.5))}</b> median, ${tookWords(quantile(times, 0.95))} at p95</div></div>
    <section aria-label="Jobs"><div class="filters"><label>Type <select onChange=${e => narrow({ type: e.target.value })}><option value="">all</option>
        ${[...new Set(all.map(job => job.job_type))].sort().map(name => html`<option selected=${name === type}>${name}</option>`)}</select></label>
      <span id="shown" role="status">${list.length > SHOWN ? `the first ${SHOWN} of ${list.length}` : list.length} jobs</span></div>
      ${fault ? html`<p class="empty" role="alert">${fault}</p>` : null}
      <div class="wide stack" tabindex="0" role="group" aria-label="Jobs: table"><table role="table"><thead><tr><th>Type</th><th>Worker</th><th>Status</th><th>Progress</th><th>Priority</th><th>Attempts</th><th>By</th><th>Asked</th><th>Took</th><td></td></tr></thead>
      <tbody id="jobs">${list.slice(0, SHOWN).map(job => html`<tr key=${job.id} data-job=${job.id} data-status=${job.status}>
        <td>${job.job_type}${job.workflow_id ? html` <small>${job.workflow_id}</small>` : null}</td><td><${WorkerLink} id=${job.worker_id}/></td>
        <td class="message"><${Word} value=${job.status}/>${job.error ? html` <small title=${job.error}>${job.error_code ?? ''} ${job.error.slice(0, 60)}</small>` : null}</td>
        <td>${isOpen(job) ? html`<${Progress} job=${job}/>` : job.status === 'completed' ? '100 %' : '–'}</td><td data-label="priority">${job.priority}</td><td data-label="attempts">${job.attempts}</td>
        <td data-label="by">${text(job.submitted_by)}</td><td data-label="asked"><${When} time=${job.created_at}/></td><td data-label="took">${tookWords(took(job))}</td>
        <td>${isOpen(job) && mayCommand() ? html`<button type="button" onClick=${() => askFor(job)}>cancel</button>` : null}</td></tr>`)}</tbody></table></div>
      ${list.length ? null : html`<p class="empty">No jobs. A worker's page can ask for one: refresh, pause, resume.</p>`}
    </section>
    <${Confirm} question=${asked && `Cancel ${asked.job_type}?`} no=${() => askFor(null)} yes=${() => { cancel(asked.id).catch(error => setFault(error.message)); askFor(null); }}/>`;
}
