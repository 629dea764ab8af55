// alerts.js - what wants somebody's eyes, who has seen it, and by which rules. SPDX-License-Identifier: MIT
import { html, useClock, useEffect, useLive, useState } from '../lib/ui.js';
import { alerts, mayCommand } from '../lib/live.js';
import { refreshAlerts } from '../lib/alerts.js';
import { acknowledge } from '../lib/actions.js';
import { narrow, route } from '../lib/route.js';
import { count, duration, plural } from '../lib/format.js';
import { When, WorkerLink, Word } from './parts.js';

const RANK = { critical: 0, warning: 1, info: 2 };
const lasted = alert => (alert.cleared_at ? duration((Date.parse(alert.cleared_at) - Date.parse(alert.raised_at)) / 1000) : null);

/** How often; of one that is off, how often it would have: whether it is worth to be turned on. */
const raised = rule => {
  const number = rule.is_enabled ? rule.raised_total : rule.would_have_raised_total ?? 0, times = number ? plural(number, 'time') : 'never';
  return rule.is_enabled ? times : `would have fired ${times}`.replace('fired never', 'never fired');
};

function Row({ alert, fault }) {
  return html`<tr data-alert=${alert.id} data-state=${alert.state}><td><${Word} value=${alert.severity}/></td><td><${WorkerLink} id=${alert.worker_id}/></td><td class="message">${alert.message}</td>
    <td><code>${alert.rule}</code></td><td><${When} time=${alert.raised_at}/>${lasted(alert) ? html` <small>for ${lasted(alert)}</small>` : null}</td>
    <td>${alert.state === 'acknowledged' ? html`seen${alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : ''}` : alert.state === 'raised' && mayCommand()
      ? html`<button type="button" onClick=${() => acknowledge(alert.id).catch(error => fault(error.message))}>acknowledge</button>` : alert.state}</td></tr>`;
}
const HEADS = html`<thead><tr><th>Severity</th><th>Worker</th><th>What</th><th>Rule</th><th>Since</th><td></td></tr></thead>`;

export function Alerts() {
  useLive(['alerts', 'route', 'session', 'settings'], 200);
  useClock(1000);
  const [said, say] = useState(null);
  useEffect(() => { refreshAlerts(); }, []);
  const { query } = route(), find = (query.get('q') ?? '').toLowerCase(), severity = query.get('severity') ?? '';
  const list = [...alerts.byId.values()].filter(alert => (!severity || alert.severity === severity) && (!find || `${alert.message} ${alert.rule} ${alert.name}`.toLowerCase().includes(find)));
  const active = list.filter(alert => alert.state !== 'cleared').sort((a, b) => RANK[a.severity] - RANK[b.severity] || (a.raised_at < b.raised_at ? 1 : -1));
  const cleared = list.filter(alert => alert.state === 'cleared').sort((a, b) => (a.cleared_at < b.cleared_at ? 1 : -1));
  return html`
    <section aria-label="Active alerts"><div class="filters"><h2>Active</h2><label>Severity <select onChange=${e => narrow({ severity: e.target.value })}><option value="">all</option>
      ${Object.keys(RANK).map(name => html`<option selected=${name === severity}>${name}</option>`)}</select></label><span id="shown" role="status">${plural(active.length, 'alert')}</span></div>
      ${said ? html`<p role="alert">${said}</p>` : null}
      ${active.length ? html`<div class="wide stack" tabindex="0" role="group" aria-label="Active alerts: table"><table role="table">${HEADS}<tbody id="alerts">${active.map(alert => html`<${Row} key=${alert.id} alert=${alert} fault=${say}/>`)}</tbody></table></div>`
        : html`<p class="empty">${alerts.known ? 'All is well: no rule holds.' : 'This gateway does not answer for alerts.'}</p>`}</section>
    <section aria-label="Rules"><h2>Rules</h2><div class="wide stack" tabindex="0" role="group" aria-label="Rules: table"><table role="table"><thead><tr><th>Rule</th><th>When</th><th>Severity</th><th>Now</th><th>Raised</th></tr></thead><tbody>
      ${alerts.rules.map(rule => html`<tr class=${rule.is_enabled ? '' : 'resting'}><td><code>${rule.name}</code> <small>${rule.is_built_in ? 'built in' : ''}${rule.is_enabled ? '' : ' off'}</small></td><td>${rule.words}</td>
        <td><${Word} value=${rule.severity}/></td><td>${count(rule.active)}</td><td>${raised(rule)} <small>since the aggregator began</small></td></tr>`)}</tbody></table></div></section>
    ${cleared.length ? html`<section aria-label="Cleared alerts"><h2>Cleared</h2><div class="wide stack" tabindex="0" role="group" aria-label="Cleared alerts: table"><table role="table">${HEADS}<tbody>${cleared.map(alert => html`<${Row} key=${alert.id} alert=${alert} fault=${say}/>`)}</tbody></table></div></section>` : null}`;
}
