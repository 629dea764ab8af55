// worker.js - one worker, by source: what each said last, when, and when it speaks next. A source that fails shows its
// error since when, over its last good values; the others stay as they are. SPDX-License-Identifier: MIT
import { html, useClock, useEffect, useLive, useRef, useState } from '../lib/ui.js';
import { activeAlerts, alerts, ask, client, jobs, log, mayCommand, workers } from '../lib/live.js';
import { ACTIONS, act, cancel, isOpen, openJobsOf, setIdleDetection } from '../lib/actions.js';
import { ago, count, DASH, dollars, duration, percent, plural, text } from '../lib/format.js';
import { dateTime, until } from '../lib/clock.js';
import { Load, Word } from './cells.js';
import { Confirm, EventLine, Progress, When } from './parts.js';
import { Chart } from './chart.js';

const CHARTS = [['cpu_utilization', 'CPU', '%'], ['memory_utilization', 'Memory', '%'], ['storage_utilization', 'Disk', '%'], ['cml_labs_count', 'Labs', '']];

/** Asks again, half a second after the last change of what it hangs on; the old answer stays until then. */
function useAnswer(path, stamp) {
  const [answer, set] = useState({ value: null, fault: null }), timer = useRef(0), first = useRef(true);
  useEffect(() => {
    if (!path) return undefined;
    const go = () => ask(path).then(value => set({ value, fault: null }), error => set(old => ({ value: old.value, fault: error.message })));
    if (first.current) { first.current = false; go(); } else timer.current = setTimeout(go, 500);
    return () => clearTimeout(timer.current);
  }, [path, stamp]);
  return answer;
}

const Facts = ({ rows }) => html`<dl class="facts">${rows.filter(Boolean).map(([name, value, hint]) => html`<dt>${name}</dt><dd title=${hint}>${value}</dd>`)}</dl>`;

/** When this source began to be what it is, and why, as far as the log of this page reaches. */
function troubleOf(id, source) {
  for (let i = log.events.length - 1; i >= 0; i--) {
    const { type, data, time } = log.events[i];
    if (type === 'worker.freshness.changed' && data.worker_id === id && data.metric_source === source) return { time, ...data };
  }
  return null;
}

function Source({ title, name, worker, at, next, children }) {
  const word = worker[`${name}_freshness`], trouble = word === 'fresh' || word === 'absent' ? null : troubleOf(worker.worker_id, name);
  return html`<section class=${`source ${word}`} aria-label=${title} data-source=${name} data-freshness=${word}>
    <h2>${title} <${Word} value=${word === 'absent' ? 'not asked' : word}/></h2>
    <p class="when">${at ? html`last heard <${When} time=${at}/>` : 'never heard'}${next ? html`, next ${until(next, client.now())}` : ''}</p>
    ${word === 'error' || word === 'stale' ? html`<p class="trouble" role="status">${trouble?.reason ?? (word === 'stale' ? 'nothing for three intervals' : 'the last read failed')}${trouble ? html`, since <${When} time=${trouble.time}/>` : ''}.
      The values are the last good ones.</p>` : null}
    <div class="values">${children}</div></section>`;
}

function Idle({ worker, fault }) {
  const [asked, ask_] = useState(null); // what was asked for and the stream has not told yet
  const now = client.now(), enabled = asked ?? worker.is_idle_detection_enabled;
  // Told by the event; the snapshot behind it makes it the worker's own.
  useEffect(() => client.on('worker.idle_detection.toggled', ({ data }) => { if (data.worker_id === worker.worker_id) ask_(data.is_enabled); }), [worker.worker_id]);
  useEffect(() => { if (asked === worker.is_idle_detection_enabled) ask_(null); }, [asked, worker.is_idle_detection_enabled]);
  const toggle = () => { ask_(!enabled); setIdleDetection(worker.worker_id, !enabled).catch(error => { ask_(null); fault(error.message); }); };
  return html`<section aria-label="Activity" id="activity"><h2>Activity</h2>
    <${Facts} rows=${[['last used', worker.last_activity_at ? html`<${When} time=${worker.last_activity_at}/>` : 'nobody knows'], ['looked at', worker.last_activity_check_at ? html`<${When} time=${worker.last_activity_check_at}/>` : DASH],
      ['pause for idleness', worker.target_pause_at ? html`<b class="countdown">${until(worker.target_pause_at, now)}</b>` : 'not as things stand'],
      ['paused', `${plural(worker.auto_pause_count ?? 0, 'time')} by itself, ${worker.manual_pause_count ?? 0} by hand`], worker.pause_reason && ['last pause', `${worker.pause_reason}${worker.paused_by ? ` by ${worker.paused_by}` : ''}, ${ago(worker.last_paused_at, now)}`]]}/>
    <label class="switch"><input type="checkbox" role="switch" id="idle-switch" checked=${enabled} disabled=${!mayCommand()} onChange=${toggle}/> idle detection ${asked === null ? '' : html`<small>asked</small>`}</label></section>`;
}

function Actions({ worker, fault }) {
  const [asked, askFor] = useState(null), mine = useRef(new Set());
  const go = async action => {
    try { mine.current.add((await act(worker, action)).id); fault(null); } catch (error) { fault(error.problem?.job_id ? `${error.message} (job ${error.problem.job_id})` : error.message); }
  };
  const shown = [...openJobsOf(worker.worker_id), ...[...mine.current].map(id => jobs.get(id)).filter(job => job && !isOpen(job))];
  return html`<div class="actions" role="group" aria-label="Actions">
    ${mayCommand() ? ACTIONS.map(action => html`<button type="button" data-action=${action.name} disabled=${!action.when(worker)} onClick=${() => (action.confirm ? askFor(action) : go(action))}>${action.label}</button>`) : null}
    <ul class="jobs">${shown.map(job => html`<li key=${job.id} data-job=${job.id} data-status=${job.status}><b>${job.job_type}</b> <${Word} value=${job.status}/> ${isOpen(job) ? html`<${Progress} job=${job}/>
      ${mayCommand() ? html`<button type="button" onClick=${() => cancel(job.id).catch(error => fault(error.message))}>cancel</button>` : null}` : html`<small>${job.error ?? ''}</small>`}</li>`)}</ul>
    <${Confirm} question=${asked?.confirm(worker)} no=${() => askFor(null)} yes=${() => { const action = asked; askFor(null); go(action); }}/></div>`;
}

function Labs({ worker }) {
  const { value, fault } = useAnswer(`/api/workers/${worker.worker_id}/labs`, `${worker.cml_labs_count}${worker.cml_last_synced_at}`);
  return html`<section aria-label="Labs" id="labs"><h2>Labs <small>${count(value?.labs_count)}</small></h2>${fault ? html`<p class="empty">${fault}</p>` : null}
    ${value?.labs?.length ? html`<div class="wide stack" tabindex="0" role="group" aria-label="Labs: table"><table role="table"><thead><tr><th>Title</th><th>State</th><th>Owner</th><th>Nodes</th><th>Links</th><th>Changed</th></tr></thead><tbody>${value.labs.map(lab => html`
      <tr key=${lab.lab_id}><td class="message">${text(lab.title)}</td><td>${text(lab.state)}</td><td data-label="owner">${text(lab.owner)}</td><td data-label="nodes">${count(lab.node_count)}</td><td data-label="links">${count(lab.link_count)}</td><td data-label="changed"><${When} time=${lab.modified}/></td></tr>`)}</tbody></table></div>`
      : html`<p class="empty">${value ? 'No labs.' : '…'}</p>`}</section>`;
}

const TELLING = 'worker.created,worker.status.*,worker.service_status.*,worker.freshness.*,worker.labs.*,worker.lab.*,worker.paused,worker.resumed,'
  + 'worker.idle_detection.*,worker.connected,worker.disconnected,worker.license.*,alert.*,job.submitted,job.assigned,job.status.*,job.completed,job.failed,job.cancelled';

/** What lies before this page was opened, as far as the gateway's log reaches. */
function useEarlier(id) {
  const [events, set] = useState([]);
  useEffect(() => {
    let over = false;
    const load = async (found = [], after = '', pages = 5) => {
      const answer = await ask(`/api/events?worker_ids=${id}&event_types=${TELLING}&limit=1000${after}`);
      const all = [...found, ...answer.events], [epoch] = answer.next.split('-');
      if (answer.more && pages > 1) return load(all, `&after=${answer.next}`, pages - 1);
      return all.map(event => ({ ...event, id: `${epoch}-${event.seq}` }));
    };
    load().then(all => { if (!over) set(all); }, () => {}); // what this page has heard itself is there
    return () => { over = true; };
  }, [id]);
  return events;
}

function Timeline({ id }) {
  useLive(['events'], 500);
  const earlier = useEarlier(id), byId = new Map();
  for (const event of [...earlier, ...log.events]) {
    if (event.data?.worker_id === id && !['worker.snapshot', 'worker.metrics.updated', 'job.progress'].includes(event.type)) byId.set(event.id, event);
  }
  const list = [...byId.values()].sort((a, b) => b.seq - a.seq).slice(0, 100);
  return html`<section aria-label="Timeline" id="timeline"><h2>Timeline</h2><ol class="events">${list.map(event => html`<${EventLine} key=${event.id} event=${event}/>`)}</ol>
    ${list.length ? null : html`<p class="empty">Nothing has happened that the gateway still knows of.</p>`}</section>`;
}

export function WorkerView({ id }) {
  useLive(['workers', 'jobs', 'alerts', 'session', 'settings', 'status'], 200);
  useClock(1000);
  const [fault, setFault] = useState(null), [hours, setHours] = useState(24);
  const worker = workers.get(id) ?? [...workers.values()].find(each => each.aws_instance_id === id), kept = useRef(null);
  if (worker) kept.current = worker;
  const w = kept.current;
  const detail = useAnswer(w && `/api/workers/${w.worker_id}`, `${w?.updated_at}${w?.ec2_last_checked_at}${w?.cml_last_synced_at}`).value;
  if (!w) return html`<p class="empty">${client.status.synced ? html`No worker has the id ${id}. <a href="#/workers">All workers</a>` : 'Waiting for the fleet…'}</p>`;
  const now = client.now(), tags = Object.entries(w.aws_tags ?? {}), mine = activeAlerts().filter(alert => alert.worker_id === w.worker_id), health = w.cml_system_health;
  return html`<article class="worker" data-worker=${w.worker_id} data-status=${w.status}>
    <p><a href="#/workers">← workers</a></p>
    <div class="title"><h2 class="name">${w.name}</h2> <${Word} value=${w.status}/> <${Word} value=${w.service_status} quiet=${w.status !== 'running'}/> <small>${w.region} · ${w.aws_instance_id} · ${text(w.instance_type)}${w.hourly_cost === undefined ? '' : ` · ${dollars(w.hourly_cost)} / h`}</small>
      ${w.https_endpoint ? html` <a href=${w.https_endpoint} rel="noreferrer noopener" target="_blank">open CML</a>` : null}</div>
    ${worker ? null : html`<p role="alert">It has left the fleet; this is the last that was known.</p>`}
    ${mine.map(alert => html`<p class="trouble" role="status"><${Word} value=${alert.severity}/> ${alert.message} <${When} time=${alert.raised_at}/></p>`)}
    ${fault ? html`<p class="trouble" role="alert">${fault}</p>` : null}
    <${Actions} worker=${w} fault=${setFault}/>
    <div class="sources">
      <${Source} title="EC2" name="ec2" worker=${w} at=${w.ec2_last_checked_at}><${Facts} rows=${[['state', text(w.ec2_instance_state_detail)], ['system check', text(w.ec2_system_status_check)], ['public address', text(w.public_ip)], ['private address', text(w.private_ip)],
        ['image', text(w.ami_name ?? w.ami_id)], ['created', html`<${When} time=${w.created_at}/>`]]}/>${tags.length ? html`<details><summary>${plural(tags.length, 'tag')}</summary><${Facts} rows=${tags.map(([k, v]) => [k, text(v)])}/></details>` : null}<//>
      <${Source} title="CloudWatch" name="cloudwatch" worker=${w} at=${w.cloudwatch_last_collected_at}><${Facts} rows=${[['CPU', percent(w.cloudwatch_cpu_utilization)], ['memory', percent(w.cloudwatch_memory_utilization)],
        ['monitoring', w.cloudwatch_detailed_monitoring_enabled === null ? DASH : w.cloudwatch_detailed_monitoring_enabled ? 'detailed, each minute' : 'basic, each five minutes']]}/><//>
      <${Source} title="CML" name="cml" worker=${w} at=${w.cml_last_synced_at} next=${w.next_refresh_at}><${Facts} rows=${[['ready', w.cml_ready === null ? DASH : w.cml_ready ? 'yes' : 'no'], ['version', text(w.cml_version)], ['up for', duration(w.cml_uptime_seconds)], ['labs running', count(w.cml_labs_count)],
        ['licence', text(w.license_status)], ['health', health ? (health.valid === false ? 'trouble' : 'well') : DASH]]}/>${health ? html`<details><summary>health in full</summary><pre>${JSON.stringify(health, null, 1)}</pre></details>` : null}<//>
    </div>
    <section aria-label="Load" id="load"><h2>Load <span class="now">CPU <${Load} value=${w.cpu_utilization}/> memory <${Load} value=${w.memory_utilization}/> disk <${Load} value=${w.storage_utilization}/></span>
      <select aria-label="How far back" onChange=${e => setHours(Number(e.target.value))}>${[[1, 'an hour'], [6, '6 hours'], [24, 'a day'], [168, 'a week']].map(([n, name]) => html`<option value=${n} selected=${n === hours}>${name}</option>`)}</select></h2>
      <div class="charts">${CHARTS.map(([metric, label, unit]) => html`<${Chart} key=${metric + hours} id=${w.worker_id} metric=${metric} label=${label} unit=${unit} hours=${hours}/>`)}</div>
      ${detail?.others?.length ? html`<${Facts} rows=${detail.others.map(other => [other.kind, `CPU ${percent(other.cpu_utilization)}, memory ${percent(other.memory_utilization)}, ${ago(other.observed_at, now)}`])}/>` : null}</section>
    <${Idle} worker=${w} fault=${setFault}/><${Labs} worker=${w}/><${Timeline} id=${w.worker_id}/>
    <details class="card"><summary>the raw snapshot</summary><pre id="raw">${JSON.stringify(w, null, 2)}</pre></details></article>`;
}
