// parts.js - pieces of the views that are looked at less often: a job's progress, a confirmation, an event in a line.
// SPDX-License-Identifier: MIT
import { html, useEffect, useRef } from '../lib/ui.js';
import { client, workers } from '../lib/live.js';
import { link } from '../lib/route.js';
import { ago } from '../lib/format.js';
import { dateTime, timeOfDay } from '../lib/clock.js';
import { Word } from './cells.js';

export const Progress = ({ job }) => html`<span class="progress"><progress max="100" value=${job.progress ?? 0} aria-label=${`${job.job_type}: ${Math.round(job.progress ?? 0)} %`}></progress>
  <small>${Math.round(job.progress ?? 0)} %${job.step ? ` ${job.step}` : ''}${job.message ? ` · ${job.message}` : ''}</small></span>`;

export const WorkerLink = ({ id }) => { const worker = workers.get(id); return id ? html`<a href=${link('worker', id)}>${worker?.name ?? id.slice(0, 8)}</a>` : '–'; };

export const When = ({ time }) => html`<time datetime=${time ?? ''} title=${dateTime(time)}>${ago(time, client.now())}</time>`;

export function Confirm({ question, yes, no }) {
  const box = useRef();
  useEffect(() => { if (question) box.current.showModal(); else box.current.close(); }, [question]);
  return html`<dialog ref=${box} onClose=${event => (event.target.returnValue === 'yes' ? yes() : no())} aria-label="Are you sure?">
    <p>${question}</p><form method="dialog"><p class="buttons"><button value="yes">yes, do it</button> <button value="no" autofocus>no</button></p></form></dialog>`;
}

/** The members of an event that say what it is about, in few words. */
export function words({ type, data }) {
  const pick = {
    'worker.status.updated': d => `${d.old_status} → ${d.new_status}`, 'worker.service_status.updated': d => `CML ${d.old_service_status} → ${d.new_service_status}`,
    'worker.freshness.changed': d => `${d.metric_source} ${d.old} → ${d.new}${d.reason ? `: ${d.reason}` : ''}`, 'worker.labs.updated': d => `${d.labs_count} labs`,
    'worker.lab.state_changed': d => `${d.element_type ?? 'lab'} ${d.state ?? d.event ?? ''}`, 'worker.paused': d => `${d.pause_reason}${d.paused_by ? ` by ${d.paused_by}` : ''}`,
    'worker.resumed': d => `${d.resume_reason}${d.resumed_by ? ` by ${d.resumed_by}` : ''}`, 'worker.idle_detection.toggled': d => `${d.is_enabled ? 'on' : 'off'}${d.toggled_by ? ` by ${d.toggled_by}` : ''}`,
    'worker.connected': d => d.reason ?? '', 'worker.disconnected': d => d.reason ?? '', 'worker.license.updated': d => d.license_status ?? '',
    'worker.metrics.updated': d => Object.entries(d).filter(([k, v]) => typeof v === 'number' && k.endsWith('utilization')).map(([k, v]) => `${k.replace('_utilization', '')} ${Math.round(v)} %`).slice(0, 3).join(', '),
    'client.gap': d => `events before this are not known (${d.reason}); the state is whole`, 'client.back': d => `away for ${Math.round(d.seconds)} s, ${d.changes} changes`,
  }[type];
  if (pick) return pick(data);
  if (type.startsWith('alert.')) return data.message ?? data.reason ?? data.rule ?? '';
  if (type.startsWith('job.')) return `${data.job_type ?? ''} ${data.new_status ?? data.status ?? ''}${type === 'job.progress' ? `${Math.round(data.progress)} %` : ''}${data.error ? `: ${data.error}` : ''}`;
  if (type.startsWith('collector.')) return `${data.collector_id} (${data.reason})`;
  return '';
}

export const EventLine = ({ event, open }) => html`<li class=${event.type === 'client.gap' ? 'gap' : ''} data-id=${event.id} aria-current=${open ? 'true' : null}>
  <time datetime=${event.time} title=${dateTime(event.time)}>${timeOfDay(event.time)}</time> <b>${event.type}</b>
  ${event.data?.worker_id ? html` <${WorkerLink} id=${event.data.worker_id}/>` : null} <span>${words(event)}</span>
  ${event.id ? html` <a class="here" href=${`#/events?id=${event.id}`} aria-label=${`event ${event.id}`}>#${event.seq}</a>` : null}
  ${open ? html`<pre>${JSON.stringify(event, null, 2)}</pre>` : null}</li>`;

export { Word };
